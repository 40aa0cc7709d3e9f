# Sourced by tests/run: what the tests need of the machine, and how it gets there.
# need_X [ARGUMENT] succeeds when X is there, installing it where that is allowed; otherwise its last line of output is
# the command that would enable it.

export PYTHONPATH=$HOME/.cache/klamm/python${PYTHONPATH:+:$PYTHONPATH}

# As root on Debian, and in the CI, the tests may install what they need.
may_install() {
  [ "${CI:-}" = true ] || { [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; }
}

apt_get() {
  local sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo -n)
  "${sudo[@]}" apt-get update -qq && DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "$@"
}

# may_get TEST-COMMAND LINE: whether the test succeeds, if need be after running the line.
may_get() {
  eval "$1" >/dev/null 2>&1 && return
  if may_install; then eval "$2"; eval "$1" >/dev/null 2>&1 && return; fi
  echo "${2/apt_get/apt-get install -y --no-install-recommends}"
  return 1
}

need_file() { [ -e "$1" ] || { echo "there is no $1 yet"; return 1; }; }
need_component() { may_get "cargo ${1/rustfmt/fmt} --version" "rustup component add $1"; }

need_java() {
  local cluster=tests/kafka/cluster
  if ! $cluster check >/dev/null 2>&1 && may_install; then apt_get default-jdk-headless maven util-linux coreutils; fi
  $cluster check 2>&1 && $cluster fetch 2>&1
}

need_c() { may_get "command -v cc && command -v c++ && command -v make" "apt_get gcc g++ libc6-dev make"; }

need_toolchain() { may_get "cargo +$1 --version" "rustup toolchain install $1 --profile minimal"; }

need_deny() { may_get "cargo deny --version" "cargo install --locked cargo-deny"; }

need_openssl() { may_get "pkg-config --exists openssl" "apt_get libssl-dev pkg-config"; }

need_valgrind() { may_get "command -v valgrind" "apt_get valgrind"; }

need_fuzz() { may_get "cargo fuzz --version" "cargo install --locked cargo-fuzz"; }

need_metal() { bare_way thumbv7em-none-eabihf; }
need_thumbv7m() { bare_way thumbv7m-none-eabi; }
need_qemu() { may_get "command -v qemu-system-arm" "apt_get qemu-system-arm"; }
need_riscv32imac() { bare_way riscv32imac-unknown-none-elf; }
need_wasm32() { bare_way wasm32-unknown-unknown; }
need_wasip2() { bare_way wasm32-wasip2; }

need_wasmtime() { # its Python package: a few seconds, where building the Rust crate takes minutes. 48 and later refuse TCP.
  may_get "command -v pip3" "apt_get python3-pip" || return
  may_get "python3 -c 'import wasmtime'" "pip3 install -q --target $HOME/.cache/klamm/python wasmtime==47.0.1"
}

need_node() { may_get "command -v node" "apt_get nodejs"; }

# Where what binds a module to JS is: it must be of the very version that the lock file has of the crate.
wasm_bindgen() { echo "$HOME/.cache/klamm/wasm-bindgen-$(wasm_bindgen_version)/bin"; }
wasm_bindgen_version() { sed -n '/^name = "wasm-bindgen"$/{n;s/.*"\(.*\)".*/\1/p}' Cargo.lock; }
need_wasm_bindgen() { # not --locked: its lock file may name what a registry has not
  local to; to=$(wasm_bindgen)
  may_get "[ -x $to/wasm-bindgen-test-runner ]" \
    "cargo install wasm-bindgen-cli --version $(wasm_bindgen_version) --bin wasm-bindgen --bin wasm-bindgen-test-runner --root ${to%/bin}"
}

need_chromium() {
  may_get "command -v chromedriver && command -v chromium-headless-shell" "apt_get chromium-driver chromium-headless-shell"
}

# How to build for a target that the compiler has no library for: prints `installed` or `debian`, or fails with the line.
bare_way() {
  [ "${KLAMM_BARE:-}" = debian ] || if [ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ]; then echo installed; return; fi
  [ "${KLAMM_BARE:-}" = debian ] || if may_install && rustup target add "$1" >&2; then echo installed; return; fi
  # Debian has a compiler with its library's source, which builds core and alloc itself.
  [ -e /usr/lib/rustlib/src/rust ] || if may_install && [ -e /etc/debian_version ]; then apt_get rustc-web cargo-web rust-web-src >&2; fi
  if [ -e /usr/lib/rustlib/src/rust ] && [ -x /usr/bin/cargo ]; then echo debian; return; fi
  echo "rustup target add $1"
  return 1
}

# bare_cargo TARGET COMMAND ARGS...: cargo for that target, in the way found. BARE_STD: what of the library is needed.
bare_cargo() {
  local target=$1 command=$2 way sysroot; shift 2
  way=$(bare_way "$target") || { echo "$way"; return 1; }
  if [ "$way" = installed ]; then cargo "$command" --target "$target" "$@"; return; fi
  sysroot=$(rustc --print sysroot) # its linkers serve Debian's compiler too
  PATH=$(echo "$sysroot"/lib/rustlib/*/bin | tr ' ' :):$PATH RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1 \
    /usr/bin/cargo "$command" --target "$target" -Zbuild-std="${BARE_STD:-core,alloc}" "$@"
}
