"""Foreign text at a terminal, and streams that are closed, full or not UTF-8."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from program import Run, clean_environment

import cutline
from processes import PATIENCE, wait_until
from server_process import Server

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")

ACTIVE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
EVIL = "\x1b]52;c;aGk=\x07\x1b[2J\x9b31m\u202eevil\u2066\rover"


def shell(command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell command in which ``cutline`` is the program."""
    program = f"{shlex.quote(sys.executable)} -m cutline"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", re.sub(r"\bcutline\b", program, command)],
        cwd=cwd,
        env=clean_environment(**environment),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def evil(tmp_path: Path, pictures: Path) -> Path:
    """A folder of files whose names and contents have control characters."""
    folder = tmp_path / "evil"
    folder.mkdir()
    picture = next(pictures.glob("*.jpg")).read_bytes()
    (folder / f"{EVIL}\n.jpg").write_bytes(picture)
    (folder / os.fsdecode(b"caf\xe9.jpg")).write_bytes(picture[:200])
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        "caption {evil} --endpoint {url} --model m",
        "caption {evil} --endpoint {url} --model m --verbose",
        "caption {evil} --endpoint {url} --model m --preview 2",
        "caption {evil} out.jsonl --endpoint {url} --model m --filter size=500",
        "caption {evil} {name}.jsonl --model pixels",
        "caption {evil}/{name} out.jsonl",
        "caption {evil} out.jsonl --model {name}",
        "caption {evil} out.jsonl --{name}",
        "caption {evil} out.jsonl --prompt {name}.json",
        "caption {evil} out.jsonl --model pixels --save-job {name}",
        "compare {name}=pixels --input-path {evil}",
        "models check {name}",
        "run {name}.toml",
        "{name}",
    ],
)
def test_text_from_elsewhere_is_shown_and_does_not_act(
    arguments: str, evil: Path, scripted: Server, cutline: Run
) -> None:
    scripted.post("/script", {"content": f"A caption {EVIL} of \N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}."})
    words = [word.format(evil=evil, url=scripted.url, name=EVIL) for word in arguments.split()]
    ran = cutline(*words)
    printed = ran.out + ran.err
    assert not ACTIVE.search(printed), repr(printed)
    assert "Traceback" not in printed
    assert "\\x1b" in printed or "skipped" in printed
    if "--preview" in words:
        assert "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}" in printed, "what joins letters stays"


SPOKEN = f"""
import logging, threading, warnings
import cutline.cli.summary
from cutline import register_model
logging.warning({EVIL!r})
warnings.warn({EVIL!r})
@register_model("spoken")
class Spoken:
    def infer(self, prompt, image, image_name):
        def run():
            raise ValueError({EVIL!r})
        threading.Thread(target=run, name={EVIL!r}).start()
        cutline.cli.execute.summary = self.summary
        raise ValueError({EVIL!r})
    def summary(self, *_):
        raise ValueError({EVIL!r})
"""


@pytest.mark.parametrize("verbose", [(), ("--verbose",)])
def test_warnings_tracebacks_and_bugs_do_not_act(
    verbose: tuple[str, ...], pictures: Path, cutline: Run, tmp_path: Path
) -> None:
    (tmp_path / "spoken.py").write_text(SPOKEN)
    plugin = ("--model", "spoken", "--plugin", "spoken.py")
    ran = cutline("caption", str(pictures), "out.jsonl", *plugin, *verbose)
    assert ran.code == 70, "a bug, which this plug-in makes"
    assert not ACTIVE.search(ran.err), repr(ran.err)
    assert ran.err.count("UserWarning: ") == 1
    assert "exception in thread" in ran.err
    last = ran.err.splitlines()[-1]
    assert last.startswith("cutline: this is a bug of cutline: ValueError: \\x1b]52")
    assert ("in summary\n    raise ValueError" in ran.err) == bool(verbose)


@pytest.mark.parametrize("status", [400, 401, 404, 500, 200])
@pytest.mark.parametrize("action", ["", "--preview 1", "--estimate", "check"])
def test_messages_of_an_endpoint_do_not_act(
    status: int, action: str, pictures: Path, scripted: Server, cutline: Run
) -> None:
    error = json.dumps({"error": {"message": f"no {EVIL}", "code": EVIL}}, ensure_ascii=status == 401)
    scripted.post("/script", {"status": status, "body": error})
    model = ("--endpoint", scripted.url)
    if action == "check":
        ran = cutline("models", "check", "m", *model, "--timeout", "5")
    else:
        brief = ("--max-retries", "0", "--stop-after-failures", "1")
        ran = cutline("caption", str(pictures), "o.jsonl", *model, "--model", "m", *brief, *action.split())
    assert not ACTIVE.search(ran.out + ran.err), repr(ran.out + ran.err)
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("cutline prompts > /dev/full", 4, "cannot write to the standard output: No space left on device"),
        ("cutline --version > /dev/full", 4, "cannot write to the standard output"),
        ("cutline caption {pictures} --preview 1 > /dev/full", 4, "cannot write to the standard output"),
        ("cutline eval {captions} > /dev/full", 4, "cannot write to the standard output"),
        ("cutline eval {captions} --json > /dev/full", 4, "cannot write to the standard output"),
        ("cutline eval {captions} -o scores.csv > /dev/full", 0, "scores of 1 picture"),
        ("cutline prompts >&-", 4, "cannot write to the standard output: Bad file descriptor"),
        ("cutline prompts 2>&-", 0, ""),
        ("cutline prompts | true", 141, ""),
        ("cutline caption nothing 2> /dev/full", 2, ""),
        ("cutline caption nothing 2>&-", 2, ""),
    ],
)
def test_output_that_cannot_be_written_is_one_line(
    command: str, code: int, message: str, pictures: Path, tmp_path: Path
) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text("image_id,caption\na.png,a dog runs\n")
    ran = shell(command.format(pictures=pictures, captions=captions), tmp_path)
    assert ran.returncode == code, ran.stderr
    lines = ran.stderr.decode().splitlines()
    if "eval" in command:  # which also prints what it leaves out
        lines = lines[-1:]
    assert len(lines) == bool(message), lines
    assert message in "".join(lines)


@pytest.mark.parametrize(
    "streams", ["2> /dev/full", "> /dev/full", "2>&1 | head -1", "| true", ">&- 2>&-", "<&- >&- 2>&-", "2>&-"]
)
def test_a_run_goes_on_when_nobody_reads_it(streams: str, pictures: Path, tmp_path: Path) -> None:
    ran = shell(f"cutline caption {pictures} --model fake:latency=0.2,slots=1 --verbose {streams}", tmp_path)
    assert ran.returncode == 0, ran.stderr
    rows = (tmp_path / "captions.jsonl").read_text().splitlines()
    assert [json.loads(row)["image_id"] for row in rows] == sorted(path.name for path in pictures.iterdir())
    state = (tmp_path / "captions.jsonl.cutline").rglob("*")
    assert not any(b"INFO" in path.read_bytes() for path in state if path.is_file()), "no log got into a file"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-16"])
def test_a_stream_that_is_not_utf8(encoding: str, evil: Path, scripted: Server, tmp_path: Path) -> None:
    scripted.post("/script", {"content": "Ein Mädchen 猫 “quoted”"})
    command = f"cutline caption {evil} --endpoint {scripted.url} --model m"
    ran = shell(command, tmp_path, PYTHONIOENCODING=encoding)
    assert ran.returncode == 1, ran.stderr
    assert "Traceback" not in ran.stderr.decode(encoding)
    text = ran.stdout.decode(encoding) + ran.stderr.decode(encoding)
    assert "M\\xe4dchen \\u732b" in text or "Mädchen \\u732b" in text or "Mädchen 猫" in text
    assert "-> captions.jsonl" in text or "→ captions.jsonl" in text


def test_ctrl_c_while_the_program_starts(pictures: Path, tmp_path: Path) -> None:
    codes = set()
    package = str(Path(cutline.__file__).parent)
    program = tmp_path / "cutline"
    program.write_text("import sys\nfrom cutline.cli import main\nsys.exit(main())\n")
    for delay in (0.05, 0.08, 0.12, 0.16, 0.2, 0.3):
        process = subprocess.Popen(
            # The installed command starts like this; `python -m` imports more before any code of ours.
            [sys.executable, str(program), "caption", str(pictures), "o.jsonl"],
            cwd=tmp_path,
            env=clean_environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
        if "Traceback" in err and package not in err:
            continue  # Python itself was still starting, or looking for the package
        assert "Traceback" not in err, err
        codes.add(process.returncode)
    assert codes <= {0, 130, -signal.SIGINT}


@pytest.mark.parametrize("ignored", [False, True])
def test_a_terminal_that_is_closed(ignored: bool, pictures: Path, tmp_path: Path) -> None:
    # As a terminal starts it, also where the tests themselves ignore the signal.
    usual = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); os.execv(*sys.argv[1:2], sys.argv[1:])"
    start = ("nohup",) if ignored else (sys.executable, "-c", usual)
    command = (*start, sys.executable, "-m", "cutline", "caption", str(pictures), "o.jsonl")
    process = subprocess.Popen(
        [*command, "--model", "fake:latency=0.5,slots=1"],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    output = tmp_path / "o.jsonl"
    wait_until(lambda: output.exists() and output.stat().st_size)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=PATIENCE)
    if ignored:
        assert process.returncode == 0, err
        assert len(output.read_text().splitlines()) == 5
    else:
        assert process.returncode == 128 + signal.SIGHUP
        assert "nothing is lost" in err


def test_an_interrupt_while_an_object_is_destroyed_still_ends_the_command(tmp_path: Path) -> None:
    """As in ``__del__`` of a library, where Python only prints it."""
    plugin = tmp_path / "model.py"
    plugin.write_text(
        "import os, signal, time\n"
        "class Held:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        time.sleep(0.1)\n"
        "held = Held()\n"
        "del held\n"
        "time.sleep(0.5)\n"
        "print('went on')\n"
    )
    script = (
        "import signal, cutline.cli; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"cutline.cli._keep_interrupts(); exec(open({str(plugin)!r}).read())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert "went on" not in ran.stdout
    assert ran.returncode != 0


def test_a_run_with_absolute_paths_ends_well_where_the_working_folder_is_gone(tmp_path: Path, pictures: Path):
    output = tmp_path / "out.jsonl"
    gone = f"mkdir gone; cd gone; rmdir ../gone; cutline caption {pictures} {output} --model fake"
    done = shell(gone, tmp_path, PYTHONPATH=str(Path(cutline.__file__).parents[1]), PYTHONSAFEPATH="1")
    assert done.returncode == 0, done.stderr
    assert str(output) in done.stderr.decode()


def test_a_limit_on_file_sizes_is_named_as_what_stops_the_journal(tmp_path: Path, pictures: Path):
    done = shell(f"ulimit -f 1; cutline caption {pictures} out.jsonl --model fake", tmp_path)
    assert done.returncode == 4
    assert b"File too large; raise the limit on file sizes (ulimit -f)" in done.stderr
    again = shell(f"cutline caption {pictures} out.jsonl --model fake", tmp_path)
    assert again.returncode == 0, again.stderr
