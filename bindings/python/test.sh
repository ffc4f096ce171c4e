#!/usr/bin/env bash
# Builds the wheel, installs it into a fresh environment and runs the tests and mypy there.
# SENDPATH_MODEL_SERVER: the model server program (built here when unset).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../native.sh"
work=$root/build/python
"$here/build.sh" >/dev/null
wheel=$(echo "$work"/dist/*.whl)

model_server
# The same library with one more function, next to its own generated code.
rm -rf "$work/panic"
panic_library python "$work/panic/sendpath_panic"
touch "$work/panic/sendpath_panic/__init__.py"

venv=$work/venv-test
rm -rf "$venv"
"${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check pytest==9.2.0 mypy==2.4.1 "$wheel"

cd "$here"
"$venv/bin/mypy" --config-file pyproject.toml --cache-dir "$work/mypy" \
    "$work/stage/src/sendpath"
"$venv/bin/mypy" --strict --cache-dir "$work/mypy-user" --python-executable "$venv/bin/python" \
    tests/*.py "$root"/examples/python/*.py
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$work/panic "$venv/bin/python" -m pytest "$@"
