"""Shell texts that really run on the fixture repository, by bash and by ours.

`COMMANDS`, of the module beside this one, are about how words are read; these are about what
happens then: lists, statuses, redirections, messages, directories, variables, signals.
"""

from __future__ import annotations

_STATUSES = r"""
true
false
:
! true
! false
false; echo $?
true; echo $?
exit
exit 0
exit 7
exit 256
exit -1
! exit 3; echo not reached
! exit; echo not reached
false; exit
echo before; exit 3; echo after
echo a; exit; echo b
false || exit 4
true || exit 4
exit 5 | cat
exit 5 | true; echo $?
true && echo yes
false && echo no
false || echo yes
true || echo no
true && false || echo c
false && true || echo c
false || true && echo c
true || false && echo c
false || false || false; echo $?
true && true && true && echo all
! true || echo negated
! false && echo negated
! false | false; echo $?
! true | true; echo $?
false | true; echo $?
true | false; echo $?
false | false | true; echo $?
./run.sh; echo $?
./run.sh && echo yes || echo no: $?
./run.sh a "b c" '' d
./run.sh | cat; echo $?
cat nosuch; echo $?
cat nosuch && echo yes
grep -q alpha a.txt && echo found
grep -q omega a.txt || echo missing
grep -q omega a.txt; echo $?
ls nosuch a.txt; echo "status $?"
echo $? $?; false; echo $? $?
false; true; false; echo "$?"
nosuch; echo $?
nosuch a b c || echo none
echo a; nosuch; echo b
nosuch && echo yes
nosuch | cat
cat a.txt | nosuch
cat a.txt | nosuch | wc -l; echo $?
nosuch | nosuch2 | nosuch3; echo $?
nosuch 2>/dev/null; echo $?
./nosuch; echo $?
sub/nosuch
/nosuch/program
./sub; echo $?
sub; echo $?
/; echo $?
./a.txt; echo $?
./noexec.sh; echo $?
a.txt
./unreadable.txt; echo $?
./closed/file.txt; echo $?
./a.txt/b; echo $?
./dangling; echo $?
./loop; echo $?
./link.txt
./badinterpreter; echo $?
./badinterpreter x | cat; echo $?
./badinterpreter 2>/dev/null; echo $?
cat a.txt | ./badinterpreter; echo $?
./noshebang; echo $?
./noshebang a 'b c' ''
./noshebang x | cat
echo in | ./noshebang y; echo after
./noshebang > out.txt; cat out.txt
./noshebang && echo yes
./emptyprogram; echo $?
./emptyprogram | cat
./garbage; echo $?
./garbage 2>&1 | cat; echo $?
""; echo $?
'' a b
"" | cat
./sub/tool
sub/tool
./sub/../sub/tool
./env.py a 'b  c' "d" ''
env.py
PATH=. run.sh
./die.sh TERM; echo $?
./die.sh TERM
./die.sh KILL; echo $?
./die.sh KILL
./die.sh INT; echo $?
./die.sh HUP; echo $?
./die.sh PIPE; echo $?
./die.sh SEGV; echo $?
./die.sh ABRT; echo $?
./die.sh FPE; echo $?
./die.sh USR1; echo $?
./die.sh USR2; echo $?
./die.sh ALRM; echo $?
./die.sh QUIT; echo $?
./die.sh BUS; echo $?
./die.sh ILL; echo $?
./die.sh TRAP; echo $?
./die.sh SYS; echo $?
./die.sh XCPU; echo $?
./die.sh XFSZ; echo $?
./die.sh VTALRM; echo $?
./die.sh PROF; echo $?
./die.sh IO; echo $?
./die.sh STKFLT; echo $?
./die.sh PWR; echo $?
./die.sh CHLD; echo $?
./die.sh WINCH; echo $?
./die.sh TERM || echo "ended: $?"
./die.sh KILL | cat; echo $?
./die.sh KILL 2>/dev/null; echo $?
cat empty.txt | ./die.sh KILL; echo $?
cat empty.txt | ./die.sh SEGV
! ./die.sh KILL; echo $?
! ./die.sh TERM
./die.sh "KILL" >out.txt 2>&1; cat out.txt
echo a; ./die.sh KILL
echo a && ./die.sh SEGV
true | ./die.sh TERM
true; true && ./die.sh KILL
true && true && ./die.sh KILL
true; false || ./die.sh KILL
true && ./die.sh KILL >o
A=1 ./die.sh KILL
cat empty.txt | ./die.sh KILL | cat
sh -c 'exit 3' | ./die.sh KILL
./die.sh SEGV | ./die.sh KILL; echo $?
printf '' | ./die.sh KILL
nosuch | ./die.sh KILL
./die.sh KILL  'a b'   $VALUE \x 2>&1 >o <a.txt; echo
./die.sh KILL >|o 1<>o 2>>o &>>o >&2 0<&0 <<<'a b'; echo
! true | ./die.sh KILL
"""

_PIPELINES = r"""
cat a.txt | cat | cat | cat | cat
cat a.txt | sort -r | head -1
sort a.txt b.txt | uniq -c | sort -rn
yes | head -2
yes | head -1 | cat; echo $?
cat big.txt | head -1
cat big.txt | true; echo $?
seq 100000 | tail -1
seq 1 100000 | grep -c 7
cat numbers.txt | awk '{ s += $1 } END { print s }'
echo a | cat
echo a | cat -
echo a b c | tr ' ' '\n' | sort -r
echo a | cat nosuch -
echo a | true
true | echo a
false | echo a; echo $?
echo a | echo b
echo a | echo b | cat
echo a | cat | echo b | cat
cat a.txt | echo b
cd sub | pwd
cd sub | cat; pwd
echo a | cd sub; pwd
echo a | cd nosuch; pwd
export NEW=1 | cat; env | grep -c ^NEW=
printf '%s\n' x y z | tail -2
printf 'a\nb' | wc -l
printf '' | wc -c
: | wc -c
: | cat
cat nosuch | cat
cat nosuch |& cat
cat nosuch a.txt |& sort
nosuch |& cat
./run.sh |& cat
./run.sh 2>&1 | cat
./run.sh 2>/dev/null | cat
./run.sh 2>&1 >/dev/null | cat
./run.sh >/dev/null |& cat
./run.sh 2>out.txt |& cat; cat out.txt
./run.sh >out.txt |& cat; cat out.txt
cd nosuch |& cat
cd nosuch 2>&1 | cat
cat <nosuch |& cat
cat <nosuch | cat; echo $?
cat a.txt | cat <b.txt
cat a.txt | cat - b.txt
cat a.txt >out.txt | cat; cat out.txt
echo a >out.txt | cat; cat out.txt
cat a.txt | tee out.txt | wc -l; cat out.txt
cat a.txt | tee out.txt >copy.txt; cat copy.txt
head -1 <a.txt | cat - b.txt
sort <a.txt | head -1
sort < a.txt > out.txt; cat out.txt
test -f a.txt | cat; echo $?
[ -f nosuch ] | cat; echo $?
cat a.txt | [ -f nosuch ]; echo $?
pwd | cat
pwd | sed s/agent/me/
echo $? | cat
false; echo $? | cat
find . -name '*.txt' | sort | xargs cat
find . -name '*.py' -print0 | sort -z | xargs -0 grep -n TODO
ls | wc -l
ls | cat
ls -1 src | while_is_no_word
git log --oneline | head -1
git ls-files | sort | head -3
git log --format=%s | cat
rg -n TODO src | sort
rg TODO -g '*.md' | sort
rg -l TODO | sort
rg --files src | sort
rg nothing_of_the_kind; echo $?
rg -c ERROR logs
grep -rn TODO src | sort
echo "print(1)" | python3
echo 'print(2)' | python3 - | cat
printf 'import sys\nprint(sys.stdin.read())\n' | python3
echo text | python3 -c 'import sys; print(sys.stdin.read().upper())'
python3 -c 'import sys; sys.exit(9)'; echo $?
python3 -c 'import os; os.kill(os.getpid(), 9)'; echo $?
python3 -c 'import sys; print("out"); print("err", file=sys.stderr)' 2>&1 | sort
python3 -c 'import signal; print(signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN)'
sh -c 'kill -PIPE $$'; echo $?
sh -c 'echo $0 $*' a b c
sh -c 'exit 300'; echo $?
sh -c 'echo out; echo err >&2' | cat
sh -c 'echo out; echo err >&2' 2>&1 >/dev/null | cat
bash -c 'trap -p'
bash -c 'echo $-'
bash -c 'ulimit -a | head -1'
sh -c 'ls -l /proc/self/fd | wc -l'
ls /proc/self/fd
ls /proc/self/fd <a.txt
ls /proc/self/fd 2>/dev/null | cat
ls /proc/self/fd | cat
"""

_REDIRECTIONS = r"""
echo a >out.txt; cat out.txt
echo a > out.txt; echo b > out.txt; cat out.txt
echo a >> out.txt; echo b >> out.txt; cat out.txt
echo a >| out.txt; cat out.txt
>out.txt; ls -l out.txt | cut -c1-10
> out.txt
>>out.txt; cat out.txt
>a.txt; wc -c a.txt
<a.txt
<nosuch
<nosuch; echo $?
>sub
>sub; echo $?
>nosuch/file; echo $?
>readonly.txt; echo $?
<unreadable.txt; echo $?
>closed/new; echo $?
<closed/file.txt; echo $?
echo a >sub; echo $?
echo a >nosuch/file; echo $?
echo a >readonly.txt; cat readonly.txt
echo a >>readonly.txt
echo a >closed/new
echo a >a.txt/b; echo $?
echo a >loop; echo $?
cat <loop; echo $?
cat <dangling; echo $?
echo a >dangling; cat nowhere
echo a >>dangling; cat nowhere
echo a >link.txt; cat a.txt; ls -l link.txt | cut -c1
echo a >>link.txt; cat a.txt
echo a >dirlink/new.txt; ls sub
echo a >sub/../new.txt; cat new.txt
echo a >dirlink/../new.txt; ls
echo a >sub/up/new.txt; cat new.txt
echo a >../outside.txt; cat ../outside.txt
echo a >/tmp/outside.txt; cat /tmp/outside.txt
echo a >~/home.txt; cat ~/home.txt
echo a >etc/new; echo $?
cat <etc/hostname >/dev/null; echo $?
cat <sub; echo $?
cat <a.txt
cat <a.txt <b.txt
cat <a.txt b.txt
cat - <a.txt b.txt
cat 0<a.txt
<a.txt cat
<a.txt cat >out.txt; cat out.txt
<a.txt cat | <b.txt cat
>out.txt echo a; cat out.txt
>out.txt echo a >copy.txt; ls out.txt copy.txt; cat copy.txt
echo a >one.txt >two.txt; ls -1 one.txt two.txt; cat two.txt
echo a >one.txt <nosuch >two.txt; ls one.txt two.txt
cat nosuch 2>out.txt; cat out.txt
cat nosuch 2>out.txt 1>&2; cat out.txt
cat nosuch a.txt >out.txt 2>&1; cat out.txt
cat nosuch a.txt 2>&1 >out.txt; cat out.txt
cat nosuch a.txt &>out.txt; cat out.txt
cat nosuch a.txt &>>a.txt; cat a.txt
cat nosuch a.txt >&2
cat nosuch a.txt 2>/dev/null
cat nosuch a.txt >/dev/null
cat nosuch a.txt >/dev/null 2>&1; echo $?
cat nosuch a.txt &>/dev/null; echo $?
cat nosuch a.txt 1>&2 2>/dev/null
cat nosuch a.txt 2>&1 1>/dev/null | sort
./run.sh >out.txt 2>err.txt; cat out.txt err.txt
./run.sh 2>err.txt >out.txt; cat out.txt err.txt
./run.sh >out.txt 2>out.txt; cat out.txt
./run.sh >>out.txt 2>>out.txt; cat out.txt
./run.sh 1>out.txt; cat out.txt
./run.sh 2>&1
./run.sh 1>&2
./run.sh 1>&1 2>&2
./run.sh 2>&1 1>&2
nosuch >out.txt; cat out.txt
nosuch 2>out.txt; cat out.txt
nosuch &>out.txt; cat out.txt
nosuch 2>&1
nosuch 2>&1 | tr a-z A-Z
nosuch <nosuch
nosuch >nosuch/file
./noexec.sh 2>out.txt; cat out.txt
./sub 2>&1 | cat
cd nosuch 2>/dev/null; echo $?
cd nosuch 2>out.txt; cat out.txt
cd nosuch 2>&1
cd nosuch >out.txt 2>&1; cat out.txt
cd sub >out.txt; pwd; ls
cd sub >nosuch/file; pwd
pwd >out.txt; cat out.txt
pwd 2>out.txt
echo a 2>out.txt; cat out.txt
echo a >&2
echo a 1>&2
echo a 1>&2 2>/dev/null
echo a 2>/dev/null >&2
echo a >&2 | cat
echo a >/dev/full; echo $?
printf 'a\n' >/dev/full; echo $?
echo a >out.txt 2>&1 && cat out.txt
echo a <nosuch
echo a <a.txt
echo a <>new.txt; ls new.txt
cat <>a.txt
cat <>new.txt; ls new.txt
echo a 1<>a.txt; cat a.txt
echo a >"out file.txt"; cat 'out file.txt'
echo a >out\ file.txt; cat out*
echo a >$DIR/new.txt; cat src/new.txt
echo a >"$DIR/new.txt"; cat src/new.txt
echo a >$VALUE; cat value
echo a >"x$EMPTY"; cat x
echo a >é-new.txt; ls
echo a >'*'; ls
echo a >.hidden2; ls -a
echo a >out.txt; echo b >>out.txt; echo c >>out.txt; wc -l out.txt
cat >out.txt <a.txt; cat out.txt
cat a.txt >a.txt; wc -c a.txt
cat a.txt >>out.txt; cat a.txt >>out.txt; wc -l out.txt
sort a.txt -o a.txt; cat a.txt
test -f out.txt >out.txt; echo $?
[ -f out.txt ] >out.txt; echo $?
echo *.md >out.md; cat out.md
ls >out.txt; cat out.txt
ls *.txt >out.txt; cat out.txt
>new.txt; ls *.txt
touch x1 x2; ls x*
touch x1; ls x*; rm x1; ls x*
rm *.txt; ls
mkdir d; cd d; echo a >f; cd ..; cat d/f
true >out.txt; ls out.txt
false >out.txt; echo $?
: >out.txt; cat out.txt
: <nosuch; echo $?
exit 3 >out.txt; ls out.txt
exit 3 <nosuch; echo $?
exit 3 2>nosuch/x; echo "still here: $?"
export A=1 >out.txt; ls out.txt; sh -c 'echo $A'
export A=1 <nosuch; sh -c 'echo "<$A>"'
true <nosuch || echo failed
true <nosuch && echo not reached
! true <nosuch; echo $?
head -2 <a.txt; head -2 <a.txt
umask_is_bash; >new.txt; ls -l new.txt | cut -c1-10
echo a >&1
echo a 2>&1
echo a 0>out.txt
cat 0<&0
cat <&0
echo $(( 1 )) >&2
dd if=big.txt bs=1k count=2 2>/dev/null | wc -c
dd if=/dev/zero of=zeros bs=1k count=4 2>/dev/null; wc -c zeros
"""

_PATCH = "--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n alpha\n-beta\n+BETA\n gamma\n"

_TEXTS_IN_TEXTS = (
    "cat <<'E'\na\nb\nE",
    "cat <<E\nplain\nE",
    'cat <<"E"\n$HOME `x`\nE\necho after',
    "cat <<-E\n\ta\n\t\tb\n\tE\necho after",
    "cat <<'E' | tr a-z A-Z\nab\nE",
    "cat <<'E' >out.txt\nab\nE\ncat out.txt",
    "cat >out.txt <<'E'\nab\nE\ncat out.txt",
    "cat <<'A' <<'B'\na\nA\nb\nB",
    "cat <<'A'; cat <<'B'\na\nA\nb\nB",
    "cat <<'A' && cat <<'B'\na\nA\nb\nB",
    "cat <<'E' - a.txt\nfirst\nE",
    "cat <<'E'\nE\necho empty: $?",
    "cat <<'E'\n\n\nE",
    "cat <<'E'\n E\nE \nE",
    "cat <<'E'\n\\a \\\\ \"q\" 'r' $x\nE",
    "wc -l <<'E'\n1\n2\n3\nE",
    "sort <<'E' | uniq -c\nb\na\nb\nE",
    "python3 - <<'E'\nprint('from a document')\nE",
    "python3 <<'E'\nimport sys\nprint(sys.argv)\nE",
    "python3 - a b <<'E'\nimport sys\nprint(sys.argv[1:])\nE",
    "python3 - <<'E'\nimport sys\nprint(repr(sys.stdin.read()))\nE",
    "sh <<'E'\necho $0\nexit 4\nE",
    "sh <<'E'; echo $?\nexit 4\nE",
    "bash <<'E'\necho $((1 + 2))\nE",
    "cat <<'E' <nosuch\nx\nE",
    "cat <nosuch <<'E'\nx\nE",
    "cat <a.txt <<'E'\nx\nE",
    "cat <<'E' <a.txt\nx\nE",
    "echo a <<'E'\nx\nE",
    "cd sub <<'E'\nx\nE\npwd",
    "nosuch <<'E'\nx\nE",
    "true <<'E' | cat\nx\nE",
    "cat a.txt | cat <<'E'\nx\nE",
    "cat <<'E' | cat a.txt -\nx\nE",
    f"git apply --stat - <<'E'\n{_PATCH}E",
    f"git apply <<'E'\n{_PATCH}E\ngit diff a.txt",
    f"patch -p1 <<'E'\n{_PATCH}E\ncat a.txt",
    "cat > new.py <<'E'\ndef f(x):\n    return f\"{x!r}\"\nE\npython3 new.py && cat new.py",
    f"wc -c <<'E'\n{'x' * 70000}\nE",
    "cat <<'E' | md5sum\n" + "line\n" * 14000 + "E",
    f"head -c 5 <<'E'\n{'abcdefgh' * 9000}\nE",
    f"true <<'E'\n{'y' * 70000}\nE",
    "cat <<<word",
    "cat <<< 'two words'",
    'cat <<<"$HOME"',
    "cat <<<$VALUE",
    "cat <<<$EMPTY",
    "cat <<<''",
    "cat <<<'a\nb'",
    "cat <<<a <<<b",
    "cat <<<*",
    "cat <<<~",
    "cat <<<a | tr a b",
    "tr a-z A-Z <<<shout",
    "read_is_no_program <<<a",
    "wc -c <<<é",
    "bc_is_no_program <<<'1+1'",
    "cat <<<a >out.txt; cat out.txt",
    "cat - a.txt <<<first",
    "grep -c x <<<'x'; echo $?",
    "cat 0<<<a",
)

_DIRECTORIES = r"""
pwd
pwd -P
pwd -L
cd sub; pwd
cd sub && pwd
cd sub && cat inner.txt
cd sub && cat a.txt
cd sub && ls && cd .. && ls -d sub
cd sub; cd deeper; pwd; cd ../..; pwd
cd sub/deeper && pwd
cd ./sub/./deeper/.. && pwd
cd sub/../src && pwd
cd nosuch; pwd
cd nosuch || echo no
cd nosuch && ls
cd nosuch; ls | head -2
cd a.txt; echo $?
cd a.txt/b; echo $?
cd closed; pwd
cd closed/deep; echo $?
cd loop; echo $?
cd dangling; echo $?
cd dirlink; pwd
cd dirlink; pwd -P
cd dirlink && ls
cd dirlink/deeper; pwd
cd dirlink/..; pwd; ls | head -1
command -v ls cd if nosuch { [[ time sub; echo $?
command -v nosuch || echo none; command -v nosuch sub . ; echo $?
command -v ./run.sh ./noexec.sh ./sub ./nosuch sub/tool; echo $?
command -v git >/dev/null 2>&1 && echo there
command -v ls | cat; ! command -v nosuch; echo $?
cd nosuch/..; echo $?; pwd
cd sub/nosuch/../deeper && pwd
cd a.txt/..; echo $?; cd a.txt/../sub; echo $?
cd closed/..; pwd; cd closed/x/..; echo $?
cd dangling/..; pwd; cd loop/..; pwd
cd /..; pwd; cd ../..; pwd
cd sub/up/../deeper; pwd; cd up/..; pwd
cd etc/../usr; pwd; echo "$PWD $OLDPWD"; cd bin && pwd; cd ..; pwd
cd etc/../usr && ls -d bin; [ -d bin ]; echo $?
cd dirlink && cd ../src && pwd; cd ../nosuch; pwd
cd dirlink && cd .. && pwd
cd dirlink && /bin/pwd
cd dirlink && ls ..
cd sub/up; pwd; pwd -P
cd sub/up/sub/up && pwd
cd; pwd
cd ~; pwd
cd ~/project/sub; pwd
cd /; pwd
cd / && ls -d usr
cd /tmp; pwd; pwd -P
cd /usr/../tmp; pwd
cd ..; pwd
cd ../..; pwd
cd ../../../../..; pwd
cd .; pwd
cd ./; pwd
cd sub/; pwd
cd sub//deeper; pwd
cd "sub"; pwd
cd 'sp ace.txt'; pwd
cd sub deeper; echo $?
cd -- sub; pwd
cd $DIR; pwd
cd "$DIR"/lib; pwd
cd src && rg -n TODO | sort
cd src && git status --short
cd src && git log --oneline -- . | cat
cd src; ls; cd ../docs; ls; cd ..; ls -d docs
cd src && echo *.py && cd ../docs && echo *
cd src; echo a >new.txt; cd ..; cat src/new.txt
cd sub; ../where.sh
cd dirlink; ../where.sh
cd sub; cd ..; ./where.sh
./where.sh
cd sub; ./tool; tool
cd sub && ./tool | cat
cd sub; echo "$PWD"
echo "$PWD"; cd sub; echo "$PWD" $PWD
cd sub; ls "$PWD" | cat
cd src; python3 -c 'import os; print(os.getcwd(), os.environ["PWD"], os.environ["OLDPWD"])'
python3 -c 'import os; print(os.environ.get("OLDPWD"))'
cd sub; cd nosuch; pwd
cd sub || cd src; pwd
cd nosuch || cd src; pwd
cd nosuch 2>/dev/null || cd src; pwd
mkdir new && cd new && pwd
mkdir -p p/q && cd p/q && touch r && cd ../.. && find p | sort
mkdir d; cd d; rmdir ../d; pwd; ls
cd empty; ls; echo *
cd empty; ls *; echo $?
cd sub | pwd; pwd
"""

_VARIABLES = r"""
A=1 sh -c 'echo $A'
A=1 B=2 sh -c 'echo $A$B'
A=1 B=$VALUE sh -c 'echo $A $B'
A='two  words' sh -c 'echo "$A"'
A= sh -c 'echo "<$A>"'
A=~ sh -c 'echo "$A"'
A=~/x:~/y sh -c 'echo "$A"'
A=*.txt sh -c 'echo "$A"'
A=a{b,c} sh -c 'echo "$A"'
A=1; echo $A
A=1 env | grep ^A=
A=1 echo $A
A=1 true; sh -c 'echo "<$A>"'
VALUE=other sh -c 'echo $VALUE'; echo $VALUE
VALUE=other echo $VALUE
VALUE=1 VALUE=2 sh -c 'echo $VALUE'
A=1 nosuch
A=1 ./run.sh | cat
A=1 sh -c 'echo $A' | cat; sh -c 'echo "<$A>"'
LC_ALL=C sort Z.txt a.txt
LC_ALL=C ls | head -3
TZ=UTC date -d @0
TZ=UTC0 git log -1 --format=%cd
HOME=/tmp sh -c 'echo ~'
HOME=/tmp; echo ~
PATH=/nonexistent ls
PATH=. run.sh
PATH=$PATH:. run.sh
export A=1; sh -c 'echo $A'
export A=1 B="two words"; sh -c 'echo "$A $B"'
export A=1; echo $A
export A=1; A=2 sh -c 'echo $A'; sh -c 'echo $A'
export A=1; export A=2; sh -c 'echo $A'
export A=$VALUE; sh -c 'echo $A'
export A="$VALUE $WORDS"; sh -c 'echo "$A"'
export A=~/x; sh -c 'echo "$A"'
export VALUE; sh -c 'echo $VALUE'
export VALUE=new; echo $VALUE
export A=; sh -c 'echo "<$A>"'; echo "<$A>"
export A=1 && echo done
export A=1 | cat; sh -c 'echo "<$A>"'
export A=1; cd sub; sh -c 'echo $A $PWD'
export A=a; export B=$A$A; sh -c 'echo $B'
export GIT_PAGER=cat; git log --oneline
export LC_ALL=C; ls
echo $VALUE "$VALUE" ${VALUE} "${VALUE}x" '$VALUE' \$VALUE
echo $EMPTY x$EMPTY "$EMPTY" | cat -A
echo "$WORDS" | cat -A
echo $WORDS
echo $NOSUCH "$NOSUCH" | cat -A
$EMPTY echo first word vanishes
$VALUE a b
"$VALUE"
"$EMPTY"
$EMPTY
$EMPTY; echo $?
false; $EMPTY; echo $?
$NOSUCH >out.txt; ls out.txt
echo $HOME ~ "~" ~/x
echo $PWD
echo "$PWD/sub"
ls "$PWD/sub"
ls $DIR
ls $DIR/*.py
ls "$DIR"/*.py
cat $VALUE
echo a=$VALUE
echo --option="$WORDS" | cat -A
echo "$HOME"/x

env | sort
env -i sh -c 'echo "<$VALUE>"'
printenv VALUE
printenv NOSUCH; echo $?
sh -c 'env' | sort
python3 -c 'import os; print(sorted(k for k in os.environ if k < "Z" and "L" not in k))'
echo $0 $#
echo "$1" $2 | cat -A
"""

_BUILTINS = r"""
echo
echo ''
echo a  b   c
echo 'a  b'
echo -n a
echo -n
echo -n a; echo b
echo -e 'a\tb\nc'
echo -e 'a\\b' '\x41' '\0101' '\e[0m' '\a\b\f\r\v' | od -c
echo -e 'a\cb' c; echo d
echo -e '\0' | od -c
echo -e '\x' '\xg' '\08' '\9' '\z' '\' | od -c
echo -e 'é\tü'
echo -ne 'a\n'
echo -en 'a\n'
echo -E 'a\n'
echo -eE 'a\n'
echo -Ee 'a\n'
echo -nE 'a\n'
echo -n -e 'a\n'
echo -e -n 'a\n'
echo -x a
echo -nx a
echo -- a
echo - a
echo --help
echo --version
echo -n -- a
echo 'a\n'
echo "a\\n"
echo a -n
echo *
echo *.txt
echo *.nosuch
echo sub/*
echo */
echo .*txt
echo [a-c].txt
echo ?.txt
echo "*"
echo *"txt"
echo src/*.py src/lib/*
echo */*.py
echo -n *.md
echo -* | cat
echo é* | cat
echo sp*
printf a
printf 'a\n'
printf '%s\n' a
printf '%s\n' a b c
printf '%s %s\n' a b c
printf '%s\n'
printf '%s' a b c
printf '%d\n' 42
printf '%d %d\n' 1 2 3
printf '%5d|%-5d|%05d\n' 42 42 42
printf '%5s|%-5s|\n' ab ab
printf '%.2s|\n' abcdef
printf '%x %X %o %u\n' 255 255 8 7
printf '%#x %#o\n' 255 8
printf '%+d % d\n' 5 5
printf '%c%c\n' abc def
printf '%i\n' -7
printf '%%\n'
printf '%s%%\n' 50
printf '\t|\x41|\101|\\|\a' | od -c
printf 'a\0b' | od -c
printf -- '%s\n' x
printf -- '-x\n'
printf '%s\n' "two words" '' end
printf '%s\n' *.txt
printf '%s\n' -n
printf '%s\n' '\n'
printf '%d\n' -0
printf '%s=%d\n' a 1 b 2
printf '%3d: %s\n' 1 one 22 two
printf "%s\n" "$VALUE"
printf '%s\n' "$?"
false; printf '%d\n' $?
printf 'no newline'
printf ''
printf '\n\n'
printf '%10s|\n' é
printf '%-10s|%s\n' name value
test -f a.txt; echo $?
test -f nosuch; echo $?
test -f sub; echo $?
test -d sub && echo directory
test -d a.txt || echo no directory
test -e dangling; echo $?
test -L dangling; echo $?
test -h link.txt; echo $?
test -f link.txt; echo $?
test -d dirlink; echo $?
test -e loop; echo $?
test -r unreadable.txt; echo $?
test -w readonly.txt; echo $?
test -x run.sh; echo $?
test -x a.txt; echo $?
test -x sub; echo $?
test -s a.txt; echo $?
test -s empty.txt; echo $?
test -s nosuch; echo $?
test -p a.txt; echo $?
test -c /dev/null; echo $?
test -b /dev/null; echo $?
test -S a.txt; echo $?
test -O a.txt; echo $?
test -G a.txt; echo $?
test -u a.txt; echo $?
test -g a.txt; echo $?
test -k /tmp; echo $?
test -e closed/file.txt; echo $?
test -e a.txt/b; echo $?
test -n ''; echo $?
test -n a; echo $?
test -z ''; echo $?
test -z a; echo $?
test; echo $?
test ''; echo $?
test a; echo $?
test -f; echo $?
test -n; echo $?
test ! a; echo $?
test ! ''; echo $?
test ! -f nosuch; echo $?
test ! -f a.txt; echo $?
test a = a; echo $?
test a == a; echo $?
test a = b; echo $?
test a != b; echo $?
test '' = ''; echo $?
test ! a = a; echo $?
test -f = -f; echo $?
test 1 -eq 1; echo $?
test 1 -eq 01; echo $?
test 1 -ne 2; echo $?
test 1 -lt 2; echo $?
test 2 -le 2; echo $?
test 3 -gt 2; echo $?
test 3 -ge 4; echo $?
test -1 -lt 0; echo $?
test +1 -eq 1; echo $?
test 9999999999 -gt 1; echo $?
test 0 -eq -0; echo $?
[ -f a.txt ]; echo $?
[ -f a.txt ] && echo yes
[ -f nosuch ] || echo no
[ ! -f nosuch ] && echo none
[ a = a ] && echo same
[ "$VALUE" = value ] && echo value
[ -n "$EMPTY" ] || echo empty
[ -z "$NOSUCH" ] && echo unset
[ -d sub ] && cd sub && pwd
[ -f sub/inner.txt ] && cat sub/inner.txt
[ 3 -gt 2 ] && echo more
[ ]; echo $?
[ '' ]; echo $?
[ a ]; echo $?
[ ! ]; echo $?
[ ! a ]; echo $?
[ -f ]; echo $?
false; [ $? -eq 1 ] && echo one
false; [ $? = 1 ] && echo one
cd sub; [ -f inner.txt ] && echo here
cd sub; test -e ../a.txt && echo there
true a b c
false a b c; echo $?
: a b c
: > made.txt; ls made.txt
: "$NOSUCH" $VALUE; echo $?
pwd; cd sub; pwd; pwd -P
true | true | true
! :
"""

_TOOLS = r"""
ls
ls -a
ls -la sub | cut -c1-10
ls -1 src tests
ls *.txt
ls nosuch
ls -d */
ls src/*.py tests/*.py
cat a.txt b.txt
cat -n a.txt
cat sp\ ace.txt 'é.txt'
cat ./-n
cat -- -n
cat '[a]'
cat [a]
cat [a].txt
head -n 2 numbers.txt
head -3 numbers.txt
tail -n 2 numbers.txt
tail -c 20 big.txt
wc -l *.txt
wc a.txt
sort -r a.txt
sort -t, -k2n data.csv
uniq -c a.txt
cut -d, -f1,3 data.csv
tr -d '\n' <a.txt
grep -n a a.txt
grep -c '' *.txt
grep -rn "TODO" src docs
grep -v alpha a.txt
grep -E '^(a|b)' a.txt b.txt
grep -h beta a.txt b.txt
grep -l TODO -r . --include='*.py'
grep -o '[0-9]*' data.csv | head -3
grep nothing a.txt; echo $?
grep 'a' nosuch; echo $?
rg -n main src/main.py
rg -n --no-heading TODO src/main.py docs/guide.md -j1
rg 'error' docs -i
rg -F 'a + b' src
find . -maxdepth 1 -name '*.md'
find src -type f | sort
find . -name '*.py' -exec grep -l TODO {} +
find . -name '*.c' -exec echo found {} \;
find . -type d -empty
find nosuch; echo $?
sed -n 1,2p a.txt
sed 's/a/X/g' a.txt
sed -n '/beta/,$p' a.txt
sed -i 's/alpha/ALPHA/' a.txt; cat a.txt
sed -i.bak s/beta/BETA/ a.txt && cat a.txt a.txt.bak
awk -F, 'NR > 1 { print $1 }' data.csv
awk '{ n[$3]++ } END { for (k in n) print n[k] }' logs/app.log | sort
awk 'BEGIN { exit 5 }'; echo $?
jq .name data.json
python3 -c 'print("x" * 3)'
python3 -c "import sys; print(sys.argv)" a "b c" ''
python3 src/main.py; echo $?
python3 nosuch.py; echo $?
cp a.txt copy.txt && cat copy.txt
cp a.txt nosuch/; echo $?
cp -r sub sub2 && find sub2 | sort
mv a.txt moved.txt; ls moved.txt; ls a.txt
mv a.txt b.txt sub; ls sub
rm a.txt; ls a.txt
rm -f nosuch; echo $?
rm nosuch; echo $?
rm -rf sub src && ls
rmdir empty && ls -d empty
rmdir sub; echo $?
mkdir new; ls -d new
mkdir sub; echo $?
mkdir -p x/y/z && find x
touch new.txt && ls -l new.txt | cut -c1-10
chmod +x a.txt; ls -l a.txt | cut -c1-10
chmod 600 a.txt && ls -l a.txt | cut -c1-10
ln -s a.txt new.link && cat new.link
ln a.txt hard.txt && ls -l hard.txt | cut -c1-12
readlink link.txt; readlink -f dirlink/inner.txt
basename /a/b.txt .txt; dirname /a/b.txt
realpath sub/up
diff a.txt b.txt
diff -u a.txt b.txt | tail -n +3
diff a.txt a.txt && echo same
cmp a.txt b.txt; echo $?
md5sum a.txt b.txt
sha256sum a.txt | cut -d' ' -f1
base64 a.txt | base64 -d
od -c no_newline.txt
xxd bytes.bin | head -2
cat bytes.bin | od -c | tail -1
cat bytes.bin
cat bytes.bin; echo done
tee one.txt two.txt <a.txt >/dev/null; cat one.txt two.txt
seq 3 | paste -sd+
seq 1 3 | xargs echo
seq 1 3 | xargs -n1 echo n
seq 1 3 | xargs -I{} echo 'item {}'
echo a.txt | xargs cat
echo nosuch | xargs cat; echo $?
xargs echo </dev/null
env A=1 sh -c 'echo $A'
timeout 5 echo in time
timeout 0.1 sleep 5; echo $?
timeout -s KILL 0.1 sleep 5; echo $?
nice -n 5 echo nice
nohup echo a
which ls
which nosuch; echo $?
id -u
uname -s
true --help | head -1
tar czf x.tgz src && tar tzf x.tgz | sort
tar cf - sub | tar tf -
gzip -c a.txt | gunzip
split -l 100 numbers.txt part_ && ls part_*
comm -12 a.txt b.txt
join -t, data.csv data.csv | head -2
fold -w 2 a.txt | head -2
nl a.txt
tac a.txt
rev a.txt
expr 1 + 2
factor 12
git status --short
git status
git diff
git diff --stat
git diff --cached
git log --oneline
git log --format='%h %s'
git log -1 --stat
git show --stat HEAD
git show HEAD:a.txt
git show nosuch; echo $?
git branch
git branch -a
git tag
git rev-parse --abbrev-ref HEAD
git rev-parse HEAD~1
git ls-files | head -3
git blame -s b.txt
git grep -n TODO
git add a.txt untracked.txt && git status --short
git add -A && git commit -q -m 'Third' && git log --oneline
git commit -am 'Change b' && git log -1 --format=%s
git checkout -q -b topic && git branch
git checkout other; git branch
git checkout -- b.txt && git status --short
git stash && git status --short && git stash pop
git rm -q a.txt && ls a.txt
git mv a.txt c.txt && git status --short
git reset --hard HEAD; cat b.txt
git clean -n
git config user.name
git config --list --local
git -C sub status --short
git nosuchcommand; echo $?
git merge-base HEAD other
git rev-list --count HEAD
git shortlog -sn HEAD
git describe --tags
make
make fail; echo $?
make -n all
make nosuch 2>&1 | tail -1
"""

_SEVERAL_LINES = (
    "./die.sh KILL\n",
    "./die.sh KILL\n\n",
    "true\n./die.sh KILL",
    "true\ntrue; ./die.sh KILL",
    "true\ntrue | ./die.sh KILL",
    './die.sh KILL "a\nb" \\\n c; echo',
    "./die.sh KILL <<'E'; echo\na\nE",
    "n1 <<'E'; n2\na\nE",
    "n1 <<'E'; n2; n3 x\na\nE",
    "n1 <<'E' | n2 x | n3\na\nE",
    "n1 <<'E' | n2 <<'F'\na\nE\nb\nF",
    "n1 <<'E'; n2 \\\n x; n3\na\nE",
    'n1 "\n" a; n2',
    'n0; n1 "\n" a; n2',
    "n1 |\nn2",
    "n1 ||\nn2 ||\n\nn3",
    "\n<nosuch cat; <nosuch2 cat",
    "n1 a\\\n b",
    "n1\\\n\n",
    "n1;\\\nn2",
    "n1\\\n;n2",
    'n1 >/dev/null "\n" x',
    'A=1 \\\n n1 "\n" x',
    '> \\\n /dev/null n1 "\n"',
    "n1 |\\\n n2",
    "n1 ||\\\n n2",
    '! \\\n n1 "\n"',
    "n1 <<'E' <<'F'; n2\na\nE\nb\nF\nn3",
    "n1 <<'E'; A=1 n2\na\nE",
    "n1 <<'E'; <nosuch\na\nE",
    "n1 <<'E';n2;\na\nE\nn3",
    "n1 <<<'a\nb'; n2",
    "",
    "\n",
    "# nothing\n",
    "   ",
    "echo a\necho b",
    "echo a\n\necho b\n",
    "nosuch\necho $?",
    "echo 1\nnosuch\n\nnosuch2\necho 5",
    "cd nosuch\ncat <nosuch\n./sub\n./noexec.sh",
    "echo a &&\nnosuch",
    "echo a |\n\nnosuch",
    "true \\\n  && nosuch",
    "echo 'a\nb'; nosuch",
    "echo 'a\nb' | nosuch",
    'echo "a\nb" c; nosuch d',
    "cat <<'E'; nosuch\na\nb\nE\nnosuch2",
    "cat <<'E' | nosuch\na\nb\nE\nnosuch2",
    "nosuch <<'E'\na\nE",
    "echo a; cd nosuch; echo b\ncd nosuch2",
    "\n\n  nosuch",
    "# first\nnosuch # second\n",
    "./die.sh KILL\necho $?\n./die.sh SEGV\necho $?",
    "echo a\n./die.sh TERM\necho b",
    "cd src\nls\ncd ..\nls -d src",
    "mkdir d\ncd d\necho x >y\ncd ..\ncat d/y",
    "set_is_not_here; echo a\nexit 3\necho b",
    "git add -A\ngit commit -q -m 'One'\ngit log --oneline",
    "export A=1\nexport B=2\nsh -c 'echo $A $B'",
    "echo a >o1\necho b >o2\ncat o1 o2\nrm o1 o2\nls o1",
    "cat a.txt |\n  sort -r |\n  head -1",
    "cat a.txt \\\n  | sort -r \\\n  | head -1",
    "ls nosuch ||\n  echo none",
    "./noshebang\necho $?",
    "echo a\n./badinterpreter\necho b",
    "cat\ncat\necho end",
    "sleep_is_no_program 1\nsleep 0.01 && echo slept",
)

_FOUND = r"""
cat <nosuch/../a.txt; echo $?
cat <a.txt/../b.txt
cat <a.txt/.
cat <closed/../a.txt
echo a >nosuch/../new.txt
ln -s nosuch/../a.txt astray; cat <astray
cd $'no\tsuch \\'; cd $'it\'s\t'; cd é
$'no\tsuch'; é
./die.sh KILL $'a\tb' $'it\'s' "$VALUE"; echo
true <<<word |& ./die.sh KILL
mkdir d; cd d; rmdir ../d; mkdir ../d; echo a >f; ls ../d; cd ../d; echo b >g; ls; pwd
mkdir d; cd d; rmdir ../d; ../run.sh; echo * ../*.md; cat <../a.txt; cat <x; cd ..; pwd
mkdir d; cd d; mv ../d ../sub/e; echo a >f; echo *; test -f f; echo $?; ../tool; cd ..; pwd
mkdir ~/bin; cp run.sh ~/bin/r; r; rm ~/bin/r; r; echo $?; command -v r; r | cat
mkdir ~/bin; cp run.sh ~/bin/r; r | cat; A=1 r <nosuch; chmod -x ~/bin/r; r; echo $?
mkdir ~/bin; cp run.sh ~/bin/r; r; rm ~/bin/r; mkdir ~/bin/r; r; echo $?
ls -d sub; mkdir ~/bin; cp run.sh ~/bin/ls; ls -d src; command -v ls
mkdir ~/bin; cp a.txt ~/bin/r; r; echo $?; ln -s nowhere ~/bin/l; l; n 2>~/bin/n; cat ~/bin/n; n
cat <<<a=~/x; cat <<<~/x
printf '#!\n' >s; chmod +x s; ./s; echo $?; printf '#!/etc\n' >s; ./s; echo $?
printf '\x7fELF' >s; chmod +x s; ./s; echo $?
touch -d @5 s; test -N s; echo $?; touch -a -d @4 s; test -N s; echo $?
command -v ls >/dev/full; echo $?; command -v ls 1<a.txt; echo $?; pwd 1<a.txt
cp run.sh x; ./x; ./x; ./x; cp noshebang x; ./x a | cat; cp garbage x; ./x; echo $?
"""

FOUND: tuple[str, ...] = (
    *_FOUND.strip("\n").split("\n"),
    "./die.sh KILL 'a\\\nb' \"c\\\nd\"; echo",
    "./die.sh KILL <<-E <<'F' 2<<$'G' $'x'\n\tx\n\tE\ny\nF\nz\nG\necho",
)
"""Each came out differently once."""

TEXTS: tuple[str, ...] = (
    *FOUND,
    *(
        line
        for lines in (
            _STATUSES,
            _PIPELINES,
            _REDIRECTIONS,
            _DIRECTORIES,
            _VARIABLES,
            _BUILTINS,
            _TOOLS,
        )
        for line in lines.strip("\n").split("\n")
    ),
    *_TEXTS_IN_TEXTS,
    *_SEVERAL_LINES,
)

COMBINED = (
    *("echo hi", "echo -n hi", "printf '%s\\n' x", "pwd", "true", "false", ":", "cd sub"),
    *("cd nosuch", "test -f a.txt", "[ -f nosuch ]", "export NEW=1", "exit 3"),
    *("cat", "cat a.txt", "cat nosuch a.txt", "cat nosuch", "./run.sh", "./run.sh x", "wc -c"),
    *("nosuch", "./nosuch", "./noexec.sh", "./sub", '""', "./badinterpreter", "./noshebang"),
    *("./garbage", "sh -c 'exit 4'", "ls *.txt", "ls sub"),
    *("A=1 sh -c 'echo $A'", "./where.sh", "head -1", "sort -r a.txt", "cat big.txt", "seq 50000"),
    *("git status --short", "$EMPTY", "$VALUE"),
)
"""Commands that redirections are put behind."""

REDIRECTED = (
    *("<a.txt", "<nosuch", "<empty.txt", "<unreadable.txt", "<sub", "</dev/null", "<<<word"),
    *(">out.txt", ">>out.txt", ">|out.txt", ">b.txt", ">>b.txt", ">sub", ">nosuch/x", ">link.txt"),
    *(">readonly.txt", ">/dev/null", "2>/dev/null", "2>err.txt", "2>>out.txt", "2>nosuch/x"),
    *("2>&1", "1>&2", ">&2", "&>out.txt", "&>>out.txt", "&>/dev/null", "<>new.txt", "2>out.txt"),
    *("0<b.txt", "1>out.txt", "<&0", "1>&1", '>"$VALUE"', ">$DIR/new"),
)

PLACES = (
    "COMMAND",
    "COMMAND; echo $?",
    "COMMAND; pwd; ls",
    "COMMAND | head -c 100",
    "COMMAND |& head -c 100",
    "cat a.txt | COMMAND",
    "cat a.txt | COMMAND; echo $?",
    "cat a.txt | COMMAND | head -c 100",
    "echo first; COMMAND",
    "echo first; COMMAND; echo last",
    "COMMAND && echo yes || echo no",
    "! COMMAND; echo $?",
    "cd src; COMMAND",
    "cd dirlink; COMMAND; pwd",
    "COMMAND | true; echo $?",
    "echo 1\nCOMMAND\necho 3",
    "false || COMMAND",
    "true && COMMAND",
    "COMMAND | COMMAND",
    "COMMAND; COMMAND",
)
"""Where COMMAND stands for the command."""
