"""Caption the pictures of a folder within a pipeline of Ray Data.

Usage: python examples/ray_dataset.py FOLDER OUTPUT_FOLDER [MODEL]

It runs on the cluster at RAY_ADDRESS, or starts Ray here. The rows go to OUTPUT_FOLDER as Parquet, in any
order.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cutline.ray
import ray


def main() -> int:
    if len(sys.argv) not in (3, 4) or sys.argv[1].startswith("-"):
        print("usage: python examples/ray_dataset.py FOLDER OUTPUT_FOLDER [MODEL]", file=sys.stderr)
        return 2
    folder, output, *model = sys.argv[1:]
    ray.init(log_to_driver=False)
    pictures = sorted(str(path.resolve()) for path in Path(folder).iterdir() if path.is_file())
    dataset = ray.data.from_items([{"path": path} for path in pictures])
    captioned = dataset.map_batches(
        cutline.ray.Captioner,
        fn_constructor_kwargs={"model": model[0] if model else "pixels", "column": "path"},
        batch_size=64,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=8),  # as there is work and room
    )
    captioned.write_parquet(output)
    print(ray.data.read_parquet(output).groupby("outcome").count().take_all())
    return 0


if __name__ == "__main__":
    sys.exit(main())
