# What reads the sources and runs nothing of them.

need_tools() {
    need_env tools "${WHEEL}[dev]"
}

stage_lint() {
    need_tools
    bounded 120 env -C "$WORK/source" "$WORK/tools/bin/ruff" check --no-cache .
    bounded 120 env -C "$WORK/source" "$WORK/tools/bin/ruff" format --no-cache --check .
}

stage_types() {
    need_tools
    bounded 600 env -C "$WORK/source" "$WORK/tools/bin/mypy" --cache-dir "$WORK/mypy"
}

stage_layers() {
    need_tools
    bounded 120 env -C "$WORK/source" PYTHONPATH=. "$WORK/tools/bin/lint-imports" --no-cache
}
