"""Suggest an option for an unknown one, also for the name that another program has for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cutline.formatting import nearest

# The words of other programs, by the option to give in their place, with its value where one is meant. The
# first that is an option of the command or call is suggested.
_MEANT = {
    "input_path": (
        "data data-dir dataset dir folder image-dir image-folder image-path images in input input-dir "
        "input-file input-folder path source src"
    ),
    "output_path": (
        "dest destination out out-dir outdir output output-dir output-file output-folder save-dir save-path "
        "save-to to"
    ),
    "output": "dest out out-dir output-dir output-file output-path save save-to",
    "output_format": "csv fmt format json jsonl kohya parquet txt type webdataset",
    "format": "fmt output-format type",
    "model": "captioner checkpoint engine-model model-id model-name-or-path model-path vlm",
    "endpoint": (
        "api-base api-endpoint api-url base-url host-url llm-url ollama-host ollama-url openai-api-base "
        "openai-base-url server server-url url"
    ),
    "api_key": "access-key auth key openai-api-key secret token",
    "max_tokens": (
        "max-completion-tokens max-gen-len max-generated-tokens max-length max-new-tokens max-output-tokens "
        "n-predict num-predict tokens"
    ),
    "temperature": "temp",
    "system_prompt": "instruction instructions system system-instruction system-message",
    "prompt": "caption-prompt instruct prompt-file prompt-template question task text user-prompt",
    "max_concurrent_requests": (
        "concurrency concurrent concurrent-requests in-flight jobs max-concurrency max-parallel max-workers "
        "n-workers num-concurrent num-proc num-threads num-workers parallel parallelism processes slots "
        "threads workers"
    ),
    "batch_size": "batch batches bs max-num-seqs",
    "timeout": "request-timeout wait",
    "max_retries": "attempts max-attempts num-retries retries retry",
    "image_limit": (
        "count first head limit max-count max-images max-items max-samples n num-images num-samples sample "
        "samples take top"
    ),
    "samples_per_shard": "images-per-shard samples-per-tar shard-size",
    "shard 1/2": (
        "array-index job-index machine machines node-rank num-machines num-nodes num-parts num-shards offset "
        "part partition partitions parts rank shard-id shard-index shards skip split-index start start-index "
        "total-shards world-size"
    ),
    "limit": "count first head max-count n take top",
    "preview 3": "check-only demo dry dry-run dryrun show test trial try",
    "dry_run": "check-only dry dryrun preview simulate test",
    "estimate": "calculate-cost cost count-tokens price",
    "max_cost": "budget budget-usd cost-limit max-budget max-price max-spend spend-limit",
    "existing overwrite": "clobber force overwrite overwrite-existing recaption replace rewrite",
    "overwrite": "clobber force overwrite-existing replace",
    "existing skip": (
        "missing-only no-clobber no-overwrite only-missing only-uncaptioned skip-captioned skip-existing"
    ),
    "existing append": "append append-text",
    "existing prepend": "prepend prepend-text",
    "sidecar_ext": (
        "caption-ending caption-ext caption-extension ending ext extension file-ext sidecar-extension "
        "suffix-ext txt-ext"
    ),
    "trigger": "class-token class-tokens instance-token keyword trigger-token trigger-word triggerword",
    "caption_prefix": "prefix",
    "caption_suffix": "suffix",
    "prefix": "caption-prefix",
    "suffix": "caption-suffix",
    "device": "cpu cuda gpu gpu-id gpu-ids gpus",
    "dtype": "bf16 fp16 fp32 half precision torch-dtype",
    "quantize": "bits int4 int8 load-in-4bit load-in-8bit quant quantization",
    "tensor_parallel": "tensor-parallel-size tp tp-size",
    "language": "lang locale output-language",
    "min_similarity": "clip-score clip-threshold score-threshold similarity-threshold threshold",
    "max_side": "image-size max-resolution max-size resize resolution",
    "no_recursive": "flat max-depth non-recursive",
    "state": "cache-dir checkpoint-dir journal resume-dir state-dir",
    "retry_failed": "redo-failed retry-errors",
    "verbose": "debug log-level loglevel trace verbosity",
    "quiet": "disable-tqdm no-progress no-progress-bar silent",
    "engine ray": "distributed ray",
    "address": "ray-address",
    "actors": "num-actors replicas",
    "keep": "min-aesthetic min-height min-resolution min-side min-size min-width",
    "dedup": "dedupe deduplicate drop-duplicates remove-duplicates",
    "check": "banned banned-words max-words min-words",
    "references": "gold ground-truth gt reference refs",
    "replace": "find search sub substitute",
    "where": "filter query search select",
    "clusters": "k n-clusters num-clusters",
    "host": "address bind ip listen",
    "port": "listen-port",
    "root": "allowed-path allowed-root data-dir image-dir media-root",
    "workers": "num-workers processes replicas",
}
_RATE = "the rate that the endpoint accepts is found while running"
_PROXY = "set HTTPS_PROXY in the environment"
_CONTINUES = "the same command again continues"
_WITHOUT = {  # what needs no option
    "resume": _CONTINUES,
    "continue": _CONTINUES,
    "checkpoint-interval": "every caption is kept as soon as it arrives",
    "proxy": _PROXY,
    "http-proxy": _PROXY,
    "https-proxy": _PROXY,
    "log-file": "messages go to the standard error, which a shell can write to a file",
    "trust-remote-code": "code of a model's repository is never run",
    "progress": "progress is shown where the output is a terminal",
    "shuffle": "captions are written in the order of the input",
    "rpm": _RATE,
    "rps": _RATE,
    "rate-limit": _RATE,
    "requests-per-minute": _RATE,
}


def suggested_option(word: str, known: Iterable[str], form: Callable[[str, str], str]) -> str:
    """The end of a message about an unknown option; empty if nothing is like it.

    ``known`` are the names of the options, dashes and underscores alike; ``form`` writes one with the value
    that is meant, empty if the user knows which.
    """
    plain = _plain(word)
    names = {_plain(name): name for name in known}
    for meant, words in _MEANT.items():
        name, _, value = meant.partition(" ")
        if name in names and plain.replace("_", "-") in words.split():
            return f", did you mean {form(names[name], value)}?"
    if (reason := _WITHOUT.get(plain.replace("_", "-"))) and "model" in names:
        return f": {reason}"
    near = nearest(plain, names, cutoff=0.7)
    return f", did you mean {form(names[near[0]], '')}?" if near else ""


def _plain(word: str) -> str:
    return word.lstrip("-").partition("=")[0].replace("-", "_").casefold()
