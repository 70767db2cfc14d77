#!/usr/bin/env bash
# Makes the virtual environment of the server that tests/cli/test_cli_serve.py asks: transformers
# with its own OpenAI-compatible server. It is large (torch), so it stays apart from the project's.
# A finished environment is left as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="${CUTLINE_SERVE_ENV:-.venv-serve}"
if [ -e "$folder/ready" ]; then
  exit 0
fi
"${PYTHON:-python3}" -m venv --clear "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
  "torch==2.13.0" "transformers[serving]>=5" pillow
touch "$folder/ready"
