#!/usr/bin/env bash
# Installs the build to a fresh prefix, builds the examples against what is there, and runs them.
# install_example.sh SOURCE BUILD COMPILER
set -euo pipefail
source=$1 build=$2 compiler=$3
model=${PARTITA_TEST_MODELS:-$source/models}/SmolLM2-135M-Instruct.Q4_1.gguf

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/installed" >/dev/null
cp -r "$source/examples" "$work/example"
cmake -G Ninja -S "$work/example" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/installed" -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$work/build"
"$work/build/example" "$model" | tee "$work/answer"
grep -q Paris "$work/answer"
"$work/build/softmax" | tee "$work/family"
grep -q '^sparsemax  *0.7500  0.2500  0.0000  0.0000$' "$work/family"
"$work/build/forbid_words" "$model" "What is the capital of France?" paris " is" | tee "$work/answer"
if grep -qiE 'paris| is' "$work/answer" || ! grep -q '[a-z]' "$work/answer"; then
  echo "the answer is empty or has a forbidden word" >&2
  exit 1
fi
"$work/installed/bin/partita" --version
if grep -rqF "$source" "$work/installed/lib" --include='*.cmake'; then
  echo "the installed package names the source directory" >&2
  exit 1
fi
