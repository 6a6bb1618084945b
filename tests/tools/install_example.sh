#!/usr/bin/env bash
# Installs the build to a fresh prefix, builds the examples against what is there, and runs them. Then the same
# objects as a shared library, and as the library alone of another project.
# install_example.sh SOURCE BUILD COMPILER
set -euo pipefail
source=$1 build=$2 compiler=$3
model=${PARTITA_TEST_MODELS:-$source/models}/SmolLM2-135M-Instruct.Q4_1.gguf

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rooms=(weights tokenizer engine sampling api tools)
mapfile -t settings < <(sed -nE 's/^(PARTITA_SANITIZE|PARTITA_FAST_BUILD|CMAKE_BUILD_TYPE|CMAKE_CXX_FLAGS[A-Z_]*):[A-Z]+=/-D\1=/p' \
  "$build/CMakeCache.txt")

complain() {
  echo "$1" >&2
  exit 1
}

configure() {  # SOURCE BUILD OPTION...
  cmake -G Ninja -S "$1" -B "$2" -DCMAKE_CXX_COMPILER="$compiler" "${settings[@]}" "${@:3}" >/dev/null
}

# Builds a target of the configured tree TREE from the objects of this build, put in its folder FOLDER: objects are
# the same in every kind of library, so that only links and what matches COMPILED run again.
assemble() {  # TREE FOLDER TARGET COMPILED
  (cd "$build" && find "${rooms[@]}" -name '*.o' -print0 | tar -c --null -T -) | tar -x -C "$2"
  ninja -C "$1" -t commands "$3" | grep -E -- "$4|^: &&|cmake_symlink_library" >"$work/commands"
  (cd "$1" && bash -e "$work/commands")
}

cmake --install "$build" --prefix "$work/installed" >/dev/null
cp -r "$source/examples" "$work/example"
cmake -G Ninja -S "$work/example" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/installed" -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$work/build"
"$work/build/example" "$model" | tee "$work/answer"
grep -q Paris "$work/answer"
"$work/build/softmax" | tee "$work/family"
grep -q '^sparsemax  *0.7500  0.2500  0.0000  0.0000$' "$work/family"
# shellcheck disable=SC2016
grep -oP '^\|.*?\|' "$source/docs/softmax.md" | grep -oP '`\K\w+(?=`)' >"$work/functions"
while read -r function; do
  grep -q "partita::$function\b" "$source/examples/softmax.cc" || complain "examples/softmax.cc does not use $function"
done <"$work/functions"
"$work/build/forbid_words" "$model" "What is the capital of France?" paris " is" | tee "$work/answer"
if grep -qiE 'paris| is' "$work/answer" || ! grep -q '[a-z]' "$work/answer"; then
  complain "the answer is empty or has a forbidden word"
fi
"$work/installed/bin/partita" --version
if grep -rqF "$source" "$work/installed/lib" --include='*.cmake' --include='*.pc'; then
  complain "the installed package names the source directory"
fi

pc() {  # PREFIX: the flags that pkg-config gives for what is installed there
  PKG_CONFIG_PATH=$(dirname "$(find "$1" -name partita.pc)") pkg-config --cflags --libs partita
}
read -ra sanitize <<<"$(sed -n 's/^PARTITA_SANITIZE:STRING=\(..*\)/-fsanitize=\1/p' "$build/CMakeCache.txt")"

# A shared library: the program runs from a prefix that was moved, and a program of one's own through pkg-config.
mkdir "$work/shared"
configure "$source" "$work/shared" -DBUILD_SHARED_LIBS=ON -DPARTITA_TESTS=OFF
assemble "$work/shared" "$work/shared" partita_program '^$'
cmake --install "$work/shared" --prefix "$work/prefix" >/dev/null
mv "$work/prefix" "$work/moved"
"$work/moved/bin/partita" generate -m bundled -q -p 'The capital of France is' -n 4 --greedy
for prefix in installed moved; do
  # shellcheck disable=SC2046
  "$compiler" -std=c++20 "${sanitize[@]}" "$source/examples/softmax.cc" -o "$work/own" $(pc "$work/$prefix")
  LD_LIBRARY_PATH=$(dirname "$(find "$work/moved" -name 'libpartita.so')") "$work/own" | cmp - "$work/family"
done

# In another project: the library alone, without what only the program needs, and without the bundled model.
mkdir "$work/other"
cat >"$work/other/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(Other LANGUAGES CXX)
set(PARTITA_BUNDLED OFF)
add_subdirectory(${PARTITA_SOURCE} partita)
add_executable(other other.cc)
target_link_libraries(other PRIVATE Partita::partita)
END
cat >"$work/other/other.cc" <<'END'
#include <cstdio>
#include <partita/partita.hpp>
int main() {
  const auto model = partita::Model::open("bundled", {.text_only = true});
  std::puts(model ? "there is a model" : model.error().message.c_str());
}
END
configure "$work/other" "$work/other/build" -DPARTITA_SOURCE="$source" -DCMAKE_DISABLE_FIND_PACKAGE_CLI11=TRUE \
  --no-warn-unused-cli
assemble "$work/other/build" "$work/other/build/partita" other 'bundled_model.cc|other.cc'
"$work/other/build/other" | tee "$work/answer"
grep -q 'without the bundled model' "$work/answer"
if grep -q LIBEDIT "$work/other/build/CMakeCache.txt"; then
  complain "the library alone looks for libedit"
fi
