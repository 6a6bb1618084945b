# shellcheck shell=bash
# Shell functions of the fetch scripts.

# has_sha256 FILE SUM: whether FILE is there and has this SHA-256.
has_sha256() {
  [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d ' ' -f 1)" = "$2" ]
}

# need_sha256 FILE SUM: ends the script if FILE is not what it should be.
need_sha256() {
  has_sha256 "$1" "$2" && return
  echo "$(basename "$0"): $(basename "$1") is missing or does not have the SHA-256 $2" >&2
  exit 1
}

# unpack WHEEL MEMBER: writes one member of a zip archive to stdout.
unpack() {
  python3 -c '
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive, archive.open(sys.argv[2]) as member:
    shutil.copyfileobj(member, sys.stdout.buffer, 1 << 20)
' "$1" "$2"
}
