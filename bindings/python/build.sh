#!/usr/bin/env bash
# Builds the wheel into build/python/dist.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../native.sh"
python=${PYTHON:-python3}
require "$python" "CPython 3.11 or newer"

work=$root/build/python
stage=$work/stage
mkdir -p "$work"
native_build
rm -rf "$stage" "$work/dist"
mkdir -p "$stage"
cp -r "$here"/{pyproject.toml,setup.py,README.md,src} "$stage"
find "$stage" -name __pycache__ -prune -exec rm -rf {} +
native_generate python "$stage/src/sendpath/_native"
native_install "$stage/src/sendpath/_native/libsendpath_uniffi.so"

# The environment with the build tools; made once.
venv=$work/venv-build
if [ ! -x "$venv/bin/pip" ]; then
    "$python" -m venv "$venv" || { echo "build.sh: the venv module is missing (python3-venv)" >&2; exit 2; }
fi
if ! "$venv/bin/python" -c 'import setuptools, wheel, sys; sys.exit(setuptools.__version__ != "80.9.0")' 2>/dev/null; then
    "$venv/bin/pip" install --quiet --disable-pip-version-check setuptools==80.9.0 wheel==0.45.1
fi

glibc=$(native_glibc "$stage/src/sendpath/_native/libsendpath_uniffi.so")
export SENDPATH_WHEEL_PLATFORM=manylinux_${glibc/./_}_$(uname -m)
"$venv/bin/pip" wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps \
    --wheel-dir "$work/dist" "$stage"
ls "$work/dist"/*.whl
