#!/usr/bin/env bash
# Every check there is, on a fresh machine: ./test.sh            one part: ./test.sh tests/ledger
set -euo pipefail
cd "$(dirname "$0")"

./run.sh version >/dev/null
python=.venv/bin/python
stamp=.venv/.installed-dev
wanted=$(sha256sum <requirements-dev.lock)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing the packages of requirements-dev.lock ..."
    "$python" -m pip install --quiet --disable-pip-version-check --no-warn-script-location \
        --require-hashes -r requirements-dev.lock
    echo "$wanted" >"$stamp"
fi

if [ $# -gt 0 ]; then
    exec "$python" -m pytest "$@"
fi

echo "== ruff";         .venv/bin/ruff check . && .venv/bin/ruff format --check --quiet .
echo "== import-linter"; .venv/bin/lint-imports --no-cache >/tmp/hamyon-imports.$$ || { cat /tmp/hamyon-imports.$$; exit 1; }
rm -f /tmp/hamyon-imports.$$
echo "== mypy";         .venv/bin/mypy
# Processes are killed and clocks are raced in the second part; it runs alone, so that what it shows
# is not the fault of a neighbour.
echo "== tests";        "$python" -m pytest -n 4 --dist worksteal -m "not crash"
echo "== tests that kill processes"; "$python" -m pytest -m crash
