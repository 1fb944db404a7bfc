"""Commands as agents and people write them, of every kind: for comparing readings of them."""

from __future__ import annotations

_ONE_PROGRAM = r"""
ls
ls -la
ls -la --color=never src
pwd -P
cat README.md
cat -n src/main.py
head -n 20 a b
head -20 c.txt
tail -c +5 c.txt
wc -l a b c.txt
sort -t: -k2,2n -k1,1 c.txt
sort -u -o sorted.txt c.txt
uniq -c --skip-fields=1 c.txt
cut -d, -f1-3 c.txt
cut -d' ' -f2 c.txt
tr a-z A-Z
tr -d '\n'
tr '[:upper:]' '[:lower:]'
grep -rn TODO src
grep -rn "TODO: fix" src
grep -rnE '(foo|bar)[0-9]+$' src
grep -c '' a
grep -v '^#' c.txt
grep -P '\bword\b' a
grep -e -x -e "it's" a
grep --include='*.py' -r import .
grep --include=*.py -r import .
grep -A2 -B2 -n "def main" src/main.py
rg -n TODO src
rg -n --hidden -g '!.git' 'pub fn \w+'
rg --type py -l 'class .*Test'
rg -U 'a\nb' src
rg -e 'a|b' -e "c|d" --json
fd -e py . src
fd -H -t f '^test_' tests
find .
find . -name '*.py'
find . -name "*.py" -o -name "*.c"
find . -name *.zzz
find . -type f -not -path './.git/*' -newer a
find . \( -name a -o -name b \) -print0
find src -maxdepth 2 -type d -printf '%p\n'
find . -size +10k -exec ls -l {} \;
find . -type f -exec grep -l x {} +
find . -name a -delete
find -L src -type l
sed -n '1,20p' a
sed -n 1,20p a
sed -e 's/a/b/g' -e "s/c/d/" a
sed -i 's/old/new/' a
sed 's#/usr#/opt#g; s/x$//' a
sed -E 's/([a-z]+) ([a-z]+)/\2 \1/' a
sed "/^$/d" a
sed '/start/,/end/{s/x/y/;p}' a
awk '{print $1}' c.txt
awk -F: '{ print $1 ":" $3 }' c.txt
awk 'NR==1 || $2 > 10 {sum += $2} END {print sum, NR}' c.txt
awk -v n=5 'BEGIN { printf "%d\n", n * 2 }'
awk "BEGIN { print \"x\" }"
awk -F'\t' '$3 ~ /x/' c.txt
perl -ne 'print if /x/' a
python3 -c 'print("hello")'
python3 -c "import sys; print(sys.argv)" a b
python3 -m pytest -q tests/test_a.py::test_one
python3 -m http.server 8000
python3 script.py --name="two words" --flag
node -e 'console.log(`x${1+1}`)'
ruby -e 'puts 1'
pytest -x -q -k 'not slow and (a or b)'
pytest tests -p no:cacheprovider --tb=short
git status
git status --short --branch
git diff HEAD~1 -- src
git diff HEAD^ HEAD
git diff main...feature
git log --oneline -n 5
git log --format='%h %an %s' --since="2 weeks ago"
git log --pretty=format:"%h - %s" --graph
git show HEAD:src/main.py
git show HEAD@{1}
git stash show -p stash@{0}
git rev-parse --abbrev-ref HEAD
git rev-parse 'HEAD^{tree}'
git rev-parse HEAD^{tree}
git branch -a --list 'feature/*'
git commit -m 'Fix the thing'
git commit -m "Fix the thing" -m "It's broken: see #12"
git commit --amend --no-edit
git add -A .
git add src/*.py
git checkout -b new-branch origin/main
git push origin HEAD:refs/heads/x
git -C src log -1
git -c core.pager=cat log
git grep -n 'foo(' -- '*.c'
git blame -L 10,+5 src/util.c
git ls-files --others --exclude-standard
git remote -v
git config --get user.email
git tag -l 'v1.*' --sort=-version:refname
git cherry-pick abc123^..def456
git apply --check fix.patch
gh pr view 12 --json title,body
gh api repos/{owner}/{repo}/issues
make -j4 all
make CC=gcc CFLAGS='-O2 -Wall' test
make -C src clean
cmake -S . -B build -DCMAKE_BUILD_TYPE=Release
cargo build --release
cargo test -- --nocapture name
go test ./... -run 'TestX$' -count=1
go build -ldflags="-s -w" -o bin/x ./cmd/x
npm install
npm run build -- --watch=false
npx --yes eslint 'src/**/*.ts' --fix
yarn add -D typescript@5.4.2
pip install -e '.[test]'
pip install -e .[test]
pip install "requests>=2.0,<3"
docker ps -a --format '{{.Names}}'
docker ps --format {{.Names}}
docker run --rm -v "$PWD":/src -w /src image:latest make
kubectl get pods -o jsonpath='{.items[*].metadata.name}'
curl -s https://example.com/api?x=1
curl -sSL -o out.bin "https://example.com/a?b=1&c=2"
curl -X POST -H 'Content-Type: application/json' -d '{"a": [1, 2]}' http://localhost:8080/x
curl -d name=value -d "other=a b" http://localhost/
curl -w '%{http_code}\n' -o /dev/null http://localhost/
wget -q -O - http://localhost/
jq '.items[] | {name, n: .count}' c.txt
jq -r '.a["b c"]' c.txt
tar -xzf x.tar.gz -C src
tar czf x.tgz --exclude=.git --exclude='*.o' src
tar -tf x.tar
unzip -l x.zip
zip -r x.zip src -x '*.pyc'
cp -r src dst
cp a b c.txt e
mv a "b c"
mv -- -n plain
rm -f -- -n
rm -rf build dist *.egg-info
mkdir -p a/b/c
touch 'new file' other\ file
chmod +x script.sh
chmod u=rwx,go=r a
chown user:group a
ln -sf ../a link
ln -s a\ b link
stat -c '%s %n' a
file a
du -sh *
du -ah --max-depth=1 .
df -h .
ps aux
ps -eo pid,ppid,cmd --sort=-%mem
date +%Y-%m-%d
date '+%H:%M:%S' -d "@0"
date -u +"%Y-%m-%dT%H:%M:%SZ"
env FOO=bar program
env -u HOME -i A=~/x program
timeout 5 sleep 1
timeout --signal=KILL 5s program --x=y
nice -n 10 program
nohup program
xargs -n1 echo
xargs -I{} mv {} {}.bak
xargs -I % sh -c 'echo %; cat %'
tee out.txt
tee -a out.txt
diff -u a b
diff -u --label 'a b' --label="c" a b
patch -p1 --dry-run
md5sum a b
sha256sum -c sums.txt
base64 -d
xxd -l 64 a
od -A x -t x1z a
seq 1 10
seq -s, 1 3
yes no
sleep 0.1
which python3 node
id -un
uname -a
hostname
nproc
tree -L 2 -I 'node_modules|.git'
column -t -s,
paste -d, a b
join -t, -1 1 -2 2 a b
comm -12 a b
split -l 100 a part_
ssh host 'cd /x && ls'
scp a host:b
rsync -av --exclude '*.pyc' src/ dst/
sqlite3 x.db 'select * from t where a = "b";'
psql -c "select 1" -t
mysql -e 'show tables;' db
bash -c 'echo $HOME'
bash -lc "cd src && ls"
sh -c 'for f in *; do echo "$f"; done'
"""

_QUOTES = r"""
echo 'single' "double" plain
echo 'it'\''s'
echo "it's"
echo "say \"hi\""
echo 'say "hi"'
echo a\ b a\\b a\'b a\"b
echo "a\b" "a\\b" "a\$b" "a\`b" "\!"
echo '\n' "\n" \n
echo '' "" ''"" x''y
echo "a"'b'c\d"e"
echo "$" '$' \$ a$ $. $/ "$." "a$ b"
echo "!" ! "a!b" wow!
echo a#b "#" '#' \# a\#
echo x # comment
echo x #
# only a comment
echo "# not a comment" # one
echo ~ ~/ ~/x "~" '~' \~ x~
echo a=~ a=~/x --a=~ a:~ =~ a=b=~
echo {} {a} {a,} a{b a}b {a b} '{a,b}' "{a,b}" \{a,b}
echo {a,b} x{a,b}y {a,b}{c,d} {a,{b,c}} {a..c} {1..5} {5..1} {01..03} {1..9..4} {-1..1}
echo {a,b,}c {,x}y pre{,post} {'a b',"c d"}
echo {1,2}/{3,4} --{in,out}put=x
echo {a,b}* {src,e}/*.py
echo [a] [ab] [a-c] [!a] '[a]' [ ] [z]
echo * "*" '*' \* *.py ?.py ?? .h* */ */*.py src/* ./* ./*.py
echo *.none none* src/*.none s*/ s*/m* e* e/* [a-z].py
echo "$V" $V ${V} "${V}x" $V$V a$V.b "$V/$V" '$V' \$V "\$V"
echo $EMPTY "$EMPTY" x$EMPTY $NONE "$NONE" ${NONE}x
echo "$WORDS" "a $WORDS b"
$EMPTY echo first
echo $DIR/*.py "$DIR"/*.py "$DIR/*.py"
echo $HOME "$HOME/x" $PWD "$PWD/src"
echo $? "$?" a$?
echo $'a\tb' $'it\'s' $'\x41\102' $'a\\b' $'\e[0m' a$'\n'b "$'x'"
echo $# $0 $1 "$2" x$3y
echo a"b c"d'e f'g\ h
echo --opt="a b" --opt='c d' -Dx=y\ z
echo é ü 日本 "日本" '日本' 🎉
echo %s 100% %1x a%b
echo a,b a;b
echo a+b a=b a@b a^b a:b a~b a_b a-b a.b a/b
echo "tab	tab"	x
echo -n -e -- - -x --
echo \;\|\&\<\>\(\)\{\}
echo ';' '|' '&' '<' '>' '(' ')' "(x)"
echo "a;b|c&d<e>f(g)"
"""

_LISTS = r"""
true; false
true && echo yes || echo no
false || echo no && echo then
! true || echo negated
! grep -q x a && echo absent
echo a; echo b; echo c
echo a;echo b;
echo a ; echo b ;
echo a && echo b && echo c
echo a || echo b || echo c
cd src && ls
cd src && ls -la | head -5
cd src; make; cd ..
cd src || exit 1
mkdir -p x && cd x && git init
test -f a && cat a
test -d src || mkdir src
[ -f a ] && echo exists
[ -e "a b" ] || echo missing
[ "$V" = value ] && echo same
[ -n "$EMPTY" ] || echo empty
[ ! -d none ] && echo none
[ 3 -gt 2 ] && echo more
ls none; echo "status: $?"
make test; echo exit=$?
false; echo $?; true; echo $?
! true; echo $?
! false; echo $?
command1 || :; command2 || :
export A=1; echo done
export A=1 B="two words" && program
printf '%s\n' a b c
printf "%-10s|%5d\n" name 42
printf '%s' "no newline"
echo -n prompt; echo -e 'a\tb'
A=1 program
A=1 B="$V" C=$EMPTY D= program
A=~/x B='c d' program --flag
LC_ALL=C sort a
PYTHONPATH=src:lib python3 -m x
CI=true npm test -- --silent
"""

_PIPES = r"""
ls | head
ls | head -5 | tail -1
ls|wc -l
cat a | grep x | sort | uniq -c | sort -rn | head -10
grep -rn x src | cut -d: -f1 | sort -u
git log --oneline | head -20
git ls-files | xargs wc -l | tail -1
ps aux | grep '[p]ython' | awk '{print $2}'
find . -name '*.py' -print0 | xargs -0 grep -l "import os"
find . -type f | xargs -I{} sh -c 'echo {}'
echo "a b c" | tr ' ' '\n' | sort
echo x | tee out | cat
printf 'a\nb\n' | while_not_a_word
cat a |& grep x
make 2>&1 | tail -50
make 2>&1 | tee log | grep -i error || echo fine
program 2>/dev/null | head
! ls | grep -q x
ls | cd src | pwd
yes | head -3
curl -s http://localhost/ | jq -r '.a[] | select(.b == "c") | .d'
tar cf - src | gzip -9 | wc -c
echo "$V" | sed 's/a/b/' | awk '{ print $1 }'
"""

_REDIRECTIONS = r"""
echo x > o
echo x >o
echo x >> o
echo x 1> o
echo x 2> o
echo x > o 2>&1
echo x 2>&1 > o
echo x &> o
echo x &>> o
echo x >| o
> o
>o echo x
>o echo x >>o y
echo x > "o" y
echo x > 'new file'
echo x > new\ file
cat < a
cat <a >o
cat < "sp ace"
cat < none && echo never
cat < none || echo failed
cat 0< a
cat <> o
program > /dev/null 2>&1
program >/dev/null
program 2>/dev/null
program &>/dev/null
program < /dev/null
program >&2
program 1>&2
program 2>&1 >/dev/null
echo err >&2; echo out
program 2>/dev/null || true
cat <<< word
cat <<< "two words"
cat <<<$V
cat <<< '$V'
cat <<< "it's $V" | wc -c
grep x <<< 'a x'
> o; ls *
echo x 2
echo 2>o
echo x2>o
echo 2 >o
echo a>o b
echo \2>o
"""

_DOCUMENTS = (
    "cat <<'EOF'\nplain $V `x` \\\n\"quotes\" 'too'\nEOF",
    "cat <<'EOF' > o\nline 1\nline 2\nEOF",
    "cat > o <<'EOF'\nx\nEOF\necho after",
    'cat <<"END"\n$V\nEND\n',
    "cat <<\\END\n$V\nEND\n",
    "cat <<END\nno expansion\nEND",
    "cat <<-END\n\ttabs\n\t\tmore\n\tEND\necho x",
    "cat <<-'END' | wc -l\n\t$V\nEND\n",
    "cat <<A <<'B'; echo z\n1\nA\n2\nB\ntail",
    "cat <<'E' && echo yes || echo no\nx\nE",
    "python3 - <<'PY'\nimport os\nprint(os.environ.get('X'))\nPY",
    "python3 <<'PY' | head -3\nfor i in range(3):\n    print(f\"{i}\")\nPY",
    "git commit -F - <<'MSG'\nFix it\n\n- one; two && three\nMSG",
    "tee o <<'EOF' >/dev/null\na\nEOF",
    "patch -p1 <<'EOF'\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\nEOF",
    "cat <<'E O F'\nx\nE O F",
    "cat <<''\nup to an empty line\n\necho after",
    "cat <<'EOF'\nEOF \n EOF\nEOF",
    "cat <<'EOF'\n\nEOF\n\n\necho last",
    "cat << 'EOF'\n# no comment\nEOF\n# a comment",
    "cat <<E1 | cat - a\nx\nE1\ncat <<E2\ny\nE2",
)

_LINES = (
    "",
    "   ",
    "\n\n",
    ":",
    "echo a\necho b",
    "echo a\n\n  echo b ;\n echo c\n",
    "echo a &&\n\n echo b |\n cat",
    "echo a ||\n# why not\necho b",
    "# first\necho a # then\n# last",
    "cd src\nls\ncd ..\nls",
    "echo one \\\n  two \\\n  three",
    "echo one\\\ntwo",
    "echo 'one\\\ntwo'",
    'echo "one\\\ntwo"',
    "echo a |\\\n cat",
    "ls |\n  head",
    "ls \\\n  | head \\\n  | tail",
    "echo 'multi\nline' \"multi\nline\"",
    "echo a\\\nb c \\\nd",
    'echo ${V}\\\nne "${V}\\\nne" $V.\\\nne "$V "\\\nne',
    "ls\\\n -l",
    "\techo tab",
    "echo \u00a0x",
)

COMMANDS: tuple[str, ...] = (
    *(
        line
        for lines in (_ONE_PROGRAM, _QUOTES, _LISTS, _PIPES, _REDIRECTIONS)
        for line in lines.strip("\n").split("\n")
    ),
    *_DOCUMENTS,
    *_LINES,
)
