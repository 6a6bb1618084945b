// Checks of the numbers in the tensors.
#include <algorithm>
#include <numeric>
#include <tuple>

#include "api/doctor/check.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

constexpr std::size_t kNamed = 4;  // tensors that one finding names

/// "'a', 'b' and 7 more"
std::string names_of(std::span<const std::string_view> names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kNamed); ++i)
    text += sentence(i == 0 ? "" : ", ", quoted(names[i]));
  if (names.size() > kNamed) text += sentence(" and ", names.size() - kNamed, " more");
  return text;
}

/// A matrix of one value, or a norm that is zero; biases and other vectors may be constant.
bool is_suspicious(const TensorView& tensor, const TensorFacts& facts) {
  if (!facts.constant) return false;
  if (tensor.shape.size() >= 2) return tensor.shape.elements() > 1;
  return facts.value == 0 && tensor.name.ends_with("norm.weight");
}

/// Whether copies of it would be remarkable: a matrix whose elements differ.
bool may_be_copied(const TensorView& tensor, const TensorFacts& facts) {
  return tensor.shape.size() >= 2 && !facts.constant;
}

bool is_vocabulary_matrix(std::string_view name) {
  return name == "token_embd.weight" || name == "output.weight";
}

void report_copies(std::string_view first, std::string_view second, std::size_t more, Report& report) {
  if (is_vocabulary_matrix(first) && is_vocabulary_matrix(second) && more == 0) {
    report.note(sentence(quoted(first), " and ", quoted(second), " have the same bytes"),
                "nothing: the model ties them, and the file has them twice");
    return;
  }
  const std::string others = more == 0   ? ""
                             : more == 1 ? " (and so has another tensor)"
                                         : sentence(" (and so have ", more, " other tensors)");
  report.warning(
      sentence(quoted(first), " and ", quoted(second), " have the same bytes", others),
      "two layers of a model are never equal: the file is put together wrongly, so download or convert "
      "it again");
}

}  // namespace

void check_numbers(const Subject& subject, Report& report) {
  constexpr std::string_view kRemedy =
      "logits become NaN: download the file again; if that changes nothing, convert the model again in a "
      "wider "
      "type (docs/debugging.md)";
  std::vector<std::string_view> bad;
  std::uint64_t nan = 0, infinite = 0, first = 0;
  for (std::size_t i = 0; i < subject.facts.size(); ++i) {
    const TensorFacts& facts = subject.facts[i];
    if (facts.nan + facts.infinite == 0) continue;
    if (bad.empty()) first = facts.first_bad;
    bad.push_back(subject.file.tensors()[i].name);
    nan += facts.nan;
    infinite += facts.infinite;
  }
  if (bad.empty()) return;
  report.error(sentence(nan, " elements are NaN and ", infinite, " infinite in ", names_of(bad),
                        "; the first is element ", first, " of ", quoted(bad.front())),
               std::string(kRemedy));
}

void check_constants(const Subject& subject, Report& report) {
  std::vector<std::string_view> zero, other;
  for (std::size_t i = 0; i < subject.facts.size(); ++i) {
    const TensorView& tensor = subject.file.tensors()[i];
    const TensorFacts& facts = subject.facts[i];
    if (is_suspicious(tensor, facts)) (facts.value == 0 ? zero : other).push_back(tensor.name);
  }
  constexpr std::string_view kRemedy =
      "parts of the model do nothing: download the file again, or convert it again";
  if (!zero.empty())
    report.warning(sentence("all elements are zero: ", names_of(zero)), std::string(kRemedy));
  if (!other.empty())
    report.warning(sentence("all elements are equal: ", names_of(other)), std::string(kRemedy));
}

void check_copies(const Subject& subject, Report& report) {
  std::vector<std::uint32_t> matrices;
  for (std::uint32_t i = 0; i < subject.facts.size(); ++i) {
    if (may_be_copied(subject.file.tensors()[i], subject.facts[i])) matrices.push_back(i);
  }
  const auto key = [&](std::uint32_t i) {
    const TensorView& tensor = subject.file.tensors()[i];
    return std::tuple(subject.facts[i].digest, tensor.bytes.size(), tensor.dtype);
  };
  std::stable_sort(matrices.begin(), matrices.end(), [&](auto a, auto b) { return key(a) < key(b); });
  std::vector<std::pair<std::uint32_t, std::uint32_t>> copies;  // a tensor and an earlier one
  for (std::size_t i = 1; i < matrices.size(); ++i) {
    if (key(matrices[i]) == key(matrices[i - 1])) copies.emplace_back(matrices[i - 1], matrices[i]);
  }
  if (copies.empty()) return;
  const auto [first, second] = *std::min_element(copies.begin(), copies.end());
  const auto name = [&](std::uint32_t i) { return subject.file.tensors()[i].name; };
  report_copies(name(first), name(second), copies.size() - 1, report);
}

}  // namespace partita::internal
