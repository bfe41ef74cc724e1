# shellcheck shell=sh
# Sourced by ./demo and ./check from the top of the tree: packages, configuring and building. POSIX sh.

CXX=${CXX:-g++}
export CXX

# Compiling is most of what a first run takes: half as long with these. lib/ stays with -O2.
quick='-Doptimization=1 -Dcpp_args=-g1'

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# packages_of SECTION...: the lines of these sections of packages.txt.
packages_of() {
  for section; do
    sed -n "/^\[$section\]/,/^\[/{/^[[#]/d;/^[[:space:]]*\$/d;p;}" packages.txt
  done
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing_of() {
  # One question for all is the quick way when nothing is missing.
  if [ "$(dpkg-query -W -f '${db:Status-Status}\n' "$@" 2>/dev/null | grep -cx installed)" = $# ]; then return; fi
  for package; do is_installed "$package" || printf '%s\n' "$package"; done
}

# need_packages SECTION...: installs what is missing; asks nothing and touches nothing when all is there.
need_packages() {
  # shellcheck disable=SC2046
  set -- $(packages_of "$@")
  if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    say "note: this is no Debian system; install what these Debian packages hold yourself: $*"
    return
  fi
  # shellcheck disable=SC2046
  set -- $(missing_of "$@")
  [ $# -gt 0 ] || return 0
  as_root=''
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || die "missing packages; as root run: apt-get install $*"
    as_root=sudo
  fi
  say "installing: $*"
  # Lists that lack a package, or that name versions no longer served, are the two reasons to update.
  if ! apt-get install --simulate --no-install-recommends "$@" >/dev/null 2>&1; then
    $as_root apt-get update -q >&2 || die "apt-get update failed; is a Debian mirror within reach?"
  fi
  install="$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends"
  $install "$@" >&2 || { $as_root apt-get update -q >&2 && $install "$@" >&2; } ||
    die "could not install: $*"
}

# configure DIR ARGUMENT...: sets DIR up, or again when it was set up with other arguments or another compiler.
configure() {
  dir=$1
  shift
  wanted="$CXX $*"
  recorded=$(cat "$dir/setup-arguments" 2>/dev/null) || recorded=''
  how=''
  if [ -e "$dir/build.ninja" ]; then
    [ "$recorded" != "$wanted" ] || return 0
    # A directory keeps its compiler unless it is wiped.
    case $recorded in '' | "$CXX "*) how=--reconfigure ;; *) how=--wipe ;; esac
  fi
  mkdir -p "$dir"
  log=$(mktemp)
  # shellcheck disable=SC2086
  meson setup $how "$dir" "$@" >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; die "configuring $dir failed"; }
  rm -f "$log"
  printf '%s\n' "$wanted" >"$dir/setup-arguments"
}

# build DIR TARGET...: all targets when none is named. Silent unless something is to be said.
build() {
  dir=$1
  shift
  ninja -C "$dir" "$@" >&2 || die "building $dir failed"
}
