# Sourced by tests/run: one function a stage, run from the project's root with `set -e`; what it prints goes to its log.
# Tests are counted by cargo's lines `test result: …`; a stage that has no cargo tests says `passed` after each of its own.

passed() { echo "test result: ok. 1 passed; 0 failed; 0 ignored; $*"; }

# The core's features that exist without std, separated by commas: those that do not draw std in themselves. And without `defmt`, whose
# programs are linked by a script of its own.
bare_features() {
  awk '/^\[/ {on = $0 == "[features]"} on && /^[a-z0-9-]+ *=/ && $1 != "default" && $1 != "std" && $1 != "defmt" && !/"std"/ {printf "%s%s", sep, $1; sep = ","}' core/Cargo.toml
}

own_workspaces() { git ls-files '*Cargo.toml' | grep -v '^Cargo.toml$' | xargs grep -lx '\[workspace\]' || true; }

stage_fmt() {
  local manifest
  cargo fmt --all --check
  for manifest in $(own_workspaces); do cargo fmt --manifest-path "$manifest" --check; done
}

stage_clippy() {
  local set features
  cargo clippy --workspace --all-targets -- -D warnings
  features=$(bare_features)
  for set in '' ${features//,/ } "$features" defmt; do
    cargo clippy -p klamm --no-default-features --features "$set" -- -D warnings
  done
  cargo clippy -p klamm --all-features --all-targets -- -D warnings
  # Encrypted with no cryptography of its own, and not at all.
  for set in tls sasl socks5 oidc msk-iam; do cargo clippy -p klamm-tokio --no-default-features --features $set -- -D warnings; done
}

stage_unit() {
  cargo test --no-fail-fast -p klamm -p klamm-codegen -p klamm-tokio -p klamm-wasi --features klamm/futures,klamm-tokio/futures,klamm-tokio/msk-iam,klamm-tokio/oidc,klamm-tokio/ring,klamm-tokio/socks5
  cargo test --no-fail-fast -p klamm --features simd --lib -- crc32c zstd
  cargo test --no-fail-fast -p klamm-oracle --test reference --test damage
}
stage_tidy() { cargo test --no-fail-fast -p klamm-tidy; }
stage_doc() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --features klamm/futures,klamm-tokio/futures,klamm-tokio/msk-iam,klamm-tokio/oidc,klamm-tokio/ring,klamm-tokio/socks5; }
stage_broker() { cargo test --no-fail-fast -p klamm-broker; }
# Optimised, because it moves enough records to fill every budget several times; each program by itself, because ten programs
# that are optimised as a whole take four minutes to build.
stage_memory() { CARGO_PROFILE_RELEASE_LTO=off cargo test --no-fail-fast --release -p klamm-bench; }
stage_hostile() { cargo test --no-fail-fast -p klamm-hostile; }
stage_sim() { CARGO_PROFILE_RELEASE_LTO=off cargo test --no-fail-fast --release -p klamm-sim; }

stage_nostd() {
  local all
  all=$(bare_features)
  # The tests themselves run on this machine, with the locks, the CRC and the tables of a build without std.
  cargo test --no-fail-fast -p klamm --lib --no-default-features --features "$all"
  bare_cargo wasm32-unknown-unknown build -p klamm --no-default-features
  passed wasm32, no features
  bare_cargo wasm32-unknown-unknown build -p klamm --no-default-features --features "$all"
  passed wasm32, features "$all"
  bare_cargo riscv32imac-unknown-none-elf build -p klamm --no-default-features
  passed riscv32imac, no features
  bare_cargo thumbv7em-none-eabihf build -p klamm --no-default-features --features "$all,defmt"
  passed thumbv7em, with defmt too
  metal_program metal small-tables
  metal_program metal-all "$all"
}

stage_metal-qemu() {
  local features
  # Debian's compiler has no clippy that knows this target.
  [ "$(bare_way thumbv7m-none-eabi)" != installed ] || for features in "" mps2 uart hostile; do
    cargo clippy --release --target thumbv7m-none-eabi --manifest-path examples/metal/Cargo.toml --features "$features" -- -D warnings
  done
  examples/metal/run
  examples/metal/run faults
  examples/metal/run mps2
  examples/metal/run hostile
  examples/metal/run uart
}

metal_program() { # NAME FEATURES: builds the microcontroller's program with these features of the core, and weighs it
  local program flash ram
  bare_cargo thumbv7em-none-eabihf build --release --manifest-path tests/metal/Cargo.toml --features "klamm/${2//,/,klamm/}" --message-format=json-render-diagnostics |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' >"$target/tests/metal-program"
  program=$(cat "$target/tests/metal-program")
  [ -n "$program" ]
  passed the microcontroller, features "$2"
  command -v readelf >/dev/null || return 0
  read -r flash ram < <(loaded "$program")
  echo "note: with $2 a program of $flash bytes of flash and $ram of RAM, heap included"
  fits "$1" "$flash"
  # It would have the names of APIs that it does not speak, if anything in it reached the table of all.
  ! grep -qaE 'DescribeQuorum|WriteTxnMarkers' "$program"
}

# loaded PROGRAM: how many bytes are loaded, and how much memory it wants from 0x20000000 on, where a microcontroller's is.
loaded() {
  local type address file memory _ bytes=0 ram=0
  while read -r type _ address _ file memory _; do
    [ "$type" = LOAD ] || continue
    bytes=$((bytes + file))
    [ $((address)) -lt $((0x20000000)) ] || ram=$((ram + memory))
  done < <(readelf -lW "$1")
  echo $bytes $ram
}

# fits NAME BYTES: whether tests/sizes.toml allows it; counts as a test.
fits() {
  local most; most=$(sed -n "s/^$1 = \([0-9_]*\)$/\1/p" tests/sizes.toml)
  [ "$2" -le "${most//_/}" ] || { echo "$1: $2 bytes, and tests/sizes.toml allows $most"; return 1; }
  passed "$1: $2 bytes of at most $most"
}

# Tests against real Kafka of any release, tests of certain old ones, and tests by Kafka's tools are told apart by the names
# of their files.
kafka_tests() { # GREP-OPTIONS: `--test NAME` of each
  local f
  for f in $(git ls-files --cached --others --exclude-standard 'tests/kafka/tests/*.rs' | grep "$@" || true); do echo "--test $(basename "$f" .rs)"; done
}
kafka_suites() { # VERSION
  local skip=() versions name why
  export KLAMM_KAFKA_VERSION=$1
  tests/kafka/cluster fetch
  while read -r versions name why; do
    [ "$(cat tests/kafka/tests/*.rs | grep -c "fn $name(")" = 1 ] || { echo "tests/kafka/left-out: which test is $name?"; return 1; }
    case ",$versions," in *",$1,"*) skip+=(--skip "$name"); echo "left out: $name: $why";; esac
  done < <(sed 's/#.*//; /^ *$/d' tests/kafka/left-out)
  # shellcheck disable=SC2046
  cargo test --no-fail-fast -p klamm-kafka-tests $(kafka_tests -v '/java\|/old_') -- --test-threads=2 --exact "${skip[@]}"
}
stage_kafka() { kafka_suites 4.3.1; }
stage_kafka-2.8.2() { kafka_suites 2.8.2; }
stage_kafka-3.9.2() { kafka_suites 3.9.2; }
stage_kafka-4.4.0() { kafka_suites 4.4.0; }
stage_old-brokers() { cargo test --no-fail-fast -p klamm-kafka-tests --test old_brokers -- --test-threads=2; }
stage_java() {
  local tests; tests=$(kafka_tests /java)
  # shellcheck disable=SC2086
  [ -z "$tests" ] || cargo test --no-fail-fast -p klamm-kafka-tests $tests -- --test-threads=2
}

# librdkafka is built too, which takes two minutes once; and what else needs a C compiler is tested here.
stage_interop() {
  cargo test --no-fail-fast --manifest-path tests/interop/Cargo.toml -- --test-threads=2
  cargo test --no-fail-fast -p klamm-tokio --features zstd-native --lib -- codecs properties
  cargo clippy --manifest-path tests/ingest-rdkafka/Cargo.toml -- -D warnings
}

stage_oracle() { cargo test --no-fail-fast -p klamm-oracle --test java -- --nocapture; }

stage_peers() {
  cargo run --release --manifest-path tests/peers/Cargo.toml
  passed peers
}

# Ten seconds a target, two at a time: what a change breaks at once. Long runs are started by hand.
stage_fuzz() {
  local line
  fuzz/run for 10 | while read -r line; do
    case $line in *' runs in '*) passed "$line";; *) echo "$line";; esac
  done
}

stage_wasi() { tests/wasm/run quick; }
stage_js() { tests/wasm/run js; }
stage_chromium() { tests/wasm/run chromium; }
stage_edge() { tests/wasm/run kafka; }

stage_examples() {
  local bytes
  cargo build --release -p klamm-examples
  timeout 300 "$target/release/quickstart" --records 20000
  passed quickstart
  timeout 60 "$target/release/partition"
  passed partition
  timeout 60 "$target/release/aggregate"
  passed aggregate
  command -v readelf >/dev/null && [ "$(uname -m)" = x86_64 ] || return 0
  read -r bytes _ < <(loaded "$target/release/hello_producer")
  echo "note: a producer's program of $bytes bytes"
  fits hello-producer "$bytes"
}

stage_ingest() {
  cargo clippy --manifest-path examples/ingest/Cargo.toml --all-targets -- -D warnings
  cargo test --no-fail-fast --manifest-path examples/ingest/Cargo.toml -- --test-threads=2
}

stage_bench-smoke() {
  local dir op args bootstrap owner=$BASHPID
  # As the stage `memory` builds it: whether it works is all that is asked here.
  CARGO_PROFILE_RELEASE_LTO=off cargo build --release -p klamm-bench
  dir=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "tests/kafka/cluster stop --dir $dir --force --wipe" EXIT
  bootstrap=$(tests/kafka/cluster start --dir "$dir" --owner "$owner" | sed -n 's/^KAFKA_BOOTSTRAP=//p')
  tests/kafka/cluster tool --dir "$dir" topics --create --topic bench
  tests/kafka/cluster tool --dir "$dir" topics --create --topic alone
  for op in "produce --topic bench --records 20000 --size 100" "consume --topic bench --records 20000" "latency --topic alone --records 200 --size 100"; do
    # shellcheck disable=SC2206
    args=($op)
    timeout 120 "$target/release/klamm-bench" "${args[@]}" --bootstrap "$bootstrap" | tee "$dir/out"
    tail -1 "$dir/out" | grep -q '^{.*}$'
    passed "${args[0]}"
  done
}

# What is published, and its features in the order of its manifest.
published='core transport-tokio transport-wasi'
features_of() { awk '/^\[/ {on = $0 == "[features]"} on && /^[a-z0-9-]+ *=/ && $1 != "default" {print $1}' "$1/Cargo.toml"; }

stage_deny() {
  local folder
  for folder in $published; do
    cargo deny --manifest-path "$folder/Cargo.toml" check -A unmatched-skip -A license-not-encountered licenses bans sources
    passed "$folder"
  done
}

stage_features() {
  local folder feature
  for folder in $published; do
    for feature in '' $(features_of "$folder"); do
      cargo check --manifest-path "$folder/Cargo.toml" --no-default-features --features "$feature"
      passed "$folder, ${feature:-no feature}"
    done
    cargo check --manifest-path "$folder/Cargo.toml" --all-features
    passed "$folder, all features"
  done
}

stage_msrv() {
  local oldest; oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
  # What is named in tests/stages is what the manifest says.
  row msrv | grep -q "toolchain:$oldest "
  cargo "+$oldest" check --locked -p klamm -p klamm-tokio -p klamm-wasi --target-dir "$target/msrv"
  passed "$oldest, default features"
  cargo "+$oldest" check --locked -p klamm -p klamm-tokio -p klamm-wasi --all-features --target-dir "$target/msrv"
  passed "$oldest, all features"
}

# In a copy of what is published, because it writes the lock file anew, without what only tests need.
stage_minimal() {
  local tree=$target/minimal/tree folder
  rm -rf "$tree"; mkdir -p "$tree"
  # shellcheck disable=SC2086
  git ls-files -z Cargo.toml $published | xargs -0 cp -p --parents -t "$tree"
  rm -r "$tree/core/codegen"
  cd "$tree"
  sed -i '/^members = \[/,/^\]/c members = ["core", "transport-tokio", "transport-wasi"]' Cargo.toml
  sed -i '/^default-members/d' Cargo.toml
  for folder in $published; do
    awk '/^\[/ {test = /dev-dependencies|^\[\[test/} !test' "$folder/Cargo.toml" >manifest
    mv manifest "$folder/Cargo.toml"
  done
  cargo +nightly update -Zdirect-minimal-versions
  cargo check --workspace --target-dir "$target/minimal"
  passed minimal, default features
  cargo check --workspace --all-features --target-dir "$target/minimal"
  passed minimal, all features
}

stage_counts() { tests/lib/counts; }

stage_plants() { tests/lib/plants; }
