#include "heads_record.h"

#include "tests/sampling/rows.h"
#include "weights/codecs/codec.h"

namespace partita::internal::test {
namespace {

/// 24 bits of a word as a float in [-2, 2), exactly.
float value_of(std::uint64_t word) { return static_cast<float>(word >> 40) * 0x1p-22F - 2; }

}  // namespace

Result<HeadRecord> HeadRecord::open(const std::string& name) {
  auto file = Gguf::open_whole(std::string(PARTITA_TEST_DATA) + "/heads/" + name + ".gguf");
  if (!file) return file.error();
  HeadRecord record(*std::move(file));
  if (auto r = record.read(); !r) return r.error();
  return record;
}

Result<void> HeadRecord::read() {
  const auto seed = file_.get_uint("record.seed"), rows = file_.get_uint("record.rows"),
             hidden = file_.get_uint("record.hidden");
  for (const auto* number : {&seed, &rows, &hidden}) {
    if (!*number) return number->error();
  }
  seed_ = *seed, rows_ = *rows, hidden_ = *hidden;

  auto targets = read_ids("record.target"), predicts = read_ids("record.predict");
  for (const auto* ids : {&targets, &predicts}) {
    if (!*ids) return ids->error();
  }
  auto logprobs = read_floats("record.logprob"), margins = read_floats("record.margin"),
       full = read_floats("record.full");
  for (const auto* floats : {&logprobs, &margins, &full}) {
    if (!*floats) return floats->error();
  }
  vocab_ = file_.find_tensor("record.full")->shape[1];
  targets_ = *std::move(targets), predicts_ = *std::move(predicts);
  logprobs_ = *std::move(logprobs), margins_ = *std::move(margins), full_ = *std::move(full);
  return {};
}

Result<std::vector<float>> HeadRecord::read_floats(std::string_view name) const {
  const TensorView* tensor = file_.find_tensor(name);
  if (tensor == nullptr) {
    return Error{ErrorCode::kNotFound, "'" + file_.path() + "' has no tensor '" + std::string(name) + "'"};
  }
  std::vector<float> values(tensor->shape.elements());
  codec(tensor->dtype).dequantize(tensor->bytes.data(), values.size(), values.data());
  return values;
}

Result<std::vector<std::int32_t>> HeadRecord::read_ids(std::string_view name) const {
  auto values = read_floats(name);
  if (!values) return values.error();
  return std::vector<std::int32_t>(values->begin(), values->end());
}

std::vector<float> HeadRecord::hidden_row(std::size_t row) const { return hidden_rows(row, 1); }

std::vector<float> HeadRecord::hidden_rows(std::size_t first, std::size_t count) const {
  std::vector<float> values(count * hidden_);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = value_of(splitmix64(seed_ + first * hidden_ + i));
  return values;
}

std::vector<float> HeadRecord::full_row(std::size_t row) const {
  const float* begin = full_.data() + row * vocab_;
  return std::vector<float>(begin, begin + vocab_);
}

}  // namespace partita::internal::test
