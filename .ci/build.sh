# The sdist, the wheel from it, and that both are whole.

stage_build() {
    [[ -z ${WHEEL:-} ]] || return 0
    export_sources
    make_env builder "$MAIN_PYTHON" "build>=1.2"
    bounded 600 "$WORK/builder/bin/python" -m build -q --sdist --outdir "$WORK/dist" "$WORK/source"
    SDIST=$(one_file "$WORK"/dist/*.tar.gz)
    check_sdist_is_complete
    mkdir "$WORK/unpacked"
    tar -xzf "$SDIST" -C "$WORK/unpacked" --strip-components=1
    bounded 600 "$WORK/builder/bin/python" -m build -q --wheel --outdir "$WORK/dist" "$WORK/unpacked"
    WHEEL=$(one_file "$WORK"/dist/*.whl)
    [[ $WHEEL == *-cp311-abi3-linux_*.whl ]] || die "not one wheel for every Python: $WHEEL"
    printf '%s\n%s\n' "$SDIST" "$WHEEL"
    make_suite
}

one_file() {
    (($# == 1)) && [[ -f $1 ]] || die "expected one file, found: $*"
    printf '%s\n' "$1"
}

# export_sources: what is or could be committed, into $WORK/source.
export_sources() {
    mkdir "$WORK/source"
    git -C "$ROOT" ls-files -z --cached --others --exclude-standard |
        while IFS= read -r -d '' name; do
            [[ ! -e $ROOT/$name ]] || printf '%s\0' "$name"
        done |
        tar -C "$ROOT" --null -T - -cf - | tar -C "$WORK/source" -xf -
}

check_sdist_is_complete() {
    local missing
    missing=$(comm -23 \
        <(cd "$WORK/source" && find . -type f -printf '%P\n' | sort) \
        <(tar -tzf "$SDIST" | sed 's,^[^/]*/,,' | sort))
    [[ -z $missing ]] || die "not in the sdist: $missing"
}

# make_suite: tests, docs and the C sources, but nothing that `import agent_exec` could find.
make_suite() {
    cp -r "$WORK/unpacked" "$WORK/suite"
    rm -rf "$WORK/suite/build" "$WORK/suite"/*.egg-info
    find "$WORK/suite/agent_exec" -name '*.py' -delete
}

stage_smoke() {
    make_env smoke "$MAIN_PYTHON" "$WHEEL"
    bounded 60 "$WORK/smoke/bin/agent-exec" --version
    bounded 60 "$WORK/smoke/bin/agent-exec" run -p open -w "$WORK/source" -- cat LICENSE \
        >"$WORK/license"
    cmp "$WORK/license" "$WORK/source/LICENSE"
    bounded 60 "$WORK/smoke/bin/python" -m pip check
}
