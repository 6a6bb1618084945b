// A changed screen of a small matrix, with a valid checksum: it is refused, or a head answers with it.
#include "sampling/heads/screen_file.h"

#include <cmath>
#include <vector>

#include "engine/kernels/dispatch.h"
#include "sampling/heads/heads.h"
#include "sampling/heads/screen_making.h"
#include "tests/fuzz/support.h"
#include "tests/must.h"
#include "tests/packed.h"
#include "weights/codecs/codec.h"

namespace partita::internal::fuzz {
namespace {

constexpr std::size_t kRows = 40, kHidden = 32, kStates = 64;

std::vector<float> waves(std::size_t count, double step) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(std::sin(static_cast<double>(i * i + 1) * step));
  return values;
}

struct Right {
  Right() {
    const auto values = waves(kRows * kHidden, 0.37);
    std::vector<std::byte> blocks(values.size() / block_elements(Dtype::kQ8_0) * block_bytes(Dtype::kQ8_0));
    codec(Dtype::kQ8_0).quantize(values.data(), values.size(), blocks.data());
    matrix = test::pack(Dtype::kQ8_0, kRows, kHidden, blocks);
    const auto states = waves(kStates * kHidden, 0.61);
    HiddenMoments moments(kHidden);
    for (std::size_t i = 0; i < kStates; ++i) moments.add(states.data() + i * kHidden);
    const std::string path = scratch_directory() + "/screen";
    testing::must(write_screen(testing::must(make_screen(matrix, moments, {})), matrix, path).ok(),
                  "the screen cannot be written");
    bytes = contents_of(path);
  }
  test::OwnedMatrix matrix;
  std::string bytes;
};

void ask(const Screen& screen, const PackedMatrix& matrix) {
  static const Kernels& table = kernels(testing::must(choose_isa()));
  const auto hidden = waves(kHidden, 0.23);
  Question question;
  question.hidden = hidden.data();
  question.top = 3;
  for (const Certificate certificate : {Certificate::kDithered, Certificate::kStrict}) {
    const auto head = make_screened_head(matrix, screen, certificate, table);
    const auto scratch = head->make_scratch(1, 1);
    std::vector<Result<Answer>> answers(1, Error{});
    head->answer({&question, 1}, *scratch, answers);
    if (!answers[0]) {
      require_message(answers[0].error());
      continue;
    }
    for (const auto& [id, logprob] : answers[0]->top)
      require(id >= 0 && static_cast<std::size_t>(id) < kRows && !std::isnan(logprob));
  }
}

}  // namespace

void run_screen(Bytes bytes) {
  static const Right right;
  Input input(bytes);
  std::string changed = with_changes(right.bytes, input);
  renew_checksum(changed);
  const MemoryFile file(changed);
  const auto screen = read_screen(file.path(), right.matrix);
  if (!screen) return require_message(screen.error());
  ask(*screen, right.matrix);
}

}  // namespace partita::internal::fuzz
