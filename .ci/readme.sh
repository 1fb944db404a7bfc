# The commands of README.md, exactly as a newcomer would paste them.

# readme_command NAME: the line of the code block that follows the marker <!-- NAME -->.
readme_command() {
    awk -v marker="<!-- command: $1 -->" '
        $0 == marker { found = 1; next }
        found && /^```/ { if (open) exit; open = 1; next }
        open { print }' "$WORK/source/README.md"
}

# paste NAME SECONDS: run it in the clone, in an environment with nothing in it but our own wish
# that no test skips for want of something that this package brings.
paste() {
    local line registry
    line=$(readme_command "$1")
    [[ -n $line && $line != *$'\n'* ]] || die "README.md has no one-line command '$1'"
    printf '$ %s\n' "$line"
    mapfile -t registry < <(env | grep -E '^(PIP_|https?_proxy=|no_proxy=|SSL_CERT)')
    bounded "$2" env -C "$WORK/clone" "${LOGGED[@]}" "$WORK/pasted.log" \
        env -i HOME="$WORK/home" PATH="$(newcomer_path)" AGENT_EXEC_MUST_WORK=1 "${registry[@]}" bash -c "$line"
}

# newcomer_path: the system's python3 where it will do, the main one elsewhere.
newcomer_path() {
    local path=/usr/local/bin:/usr/bin:/bin python
    python=$(PATH=$path type -p python3) && [[ -n $(describe "$python") ]] && can_build "$python" ||
        path=$(dirname "$MAIN_PYTHON"):$path
    printf '%s\n' "$path"
}

fresh_clone() {
    mkdir "$WORK/home"
    if [[ -z $(git -C "$ROOT" status --porcelain) ]]; then
        bounded 300 git clone -q "$ROOT" "$WORK/clone"
        return
    fi
    say "there are uncommitted changes: a commit of them all stands for the clone"
    cp -r "$WORK/source" "$WORK/clone"
    git -C "$WORK/clone" init -q
    git -C "$WORK/clone" add -A
    git -C "$WORK/clone" -c user.name=ci -c user.email=ci@localhost commit -q -m "Snapshot"
}

stage_readme() {
    need_bubblewrap
    fresh_clone
    paste run 600
    [[ $(<"$WORK/pasted.log") == *"$(git -C "$WORK/clone" log -1 --format=%s)"* ]] ||
        die "the README's run command did not show the repository's log"
    local status=0
    paste test 2700 || status=$?
    cp "$WORK/pasted.log" "$WORK/pytest.log"
    keep_closing readme
    if ((status == 1)) && few_failed; then
        say "readme: what has failed, once more, alone"
        status=0
        bounded 900 env -C "$WORK/clone" "${LOGGED[@]}" "$WORK/pytest.log" \
            env -i HOME="$WORK/home" PATH="$(newcomer_path)" AGENT_EXEC_MUST_WORK=1 \
            .venv/bin/pytest -q --last-failed || status=$?
        keep_closing "readme, again"
    fi
    return "$status"
}
