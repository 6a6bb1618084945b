#include "sampling/heads/screen_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "weights/checked_file.h"
#include "weights/hash.h"
#include "weights/input_file.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr char kMagic[8] = {'P', 'A', 'R', 'T', 'I', 'T', 'A', 'H'};
constexpr std::uint64_t kVersion = 2;

/// The limit of stored numbers, far above those of real screens; below it no float of a query or its bounds
/// overflows.
constexpr double kMaxStored = 1e7;

std::uint64_t content_sum(const PackedMatrix& matrix) {
  const std::uint64_t shape[] = {static_cast<std::uint64_t>(matrix.dtype), matrix.rows, matrix.cols};
  Hash64 hash;
  hash.add(std::as_bytes(std::span(shape)));
  hash.add({matrix.storage, matrix.bytes()});
  return hash.sum();
}

/// The stored numbers: six bounds, four arrays.
auto bounds_of(auto& data) {
  return std::array{&data.error, &data.length, &data.narrow, &data.residue, &data.norm, &data.rounding};
}
auto arrays_of(auto& data) { return std::array{&data.mean, &data.basis, &data.mean_row, &data.dither}; }

bool is_sound(std::span<const float> values, double least = -kMaxStored, double most = kMaxStored) {
  return std::all_of(values.begin(), values.end(), [&](float x) {
    return static_cast<double>(x) >= least && static_cast<double>(x) <= most;
  });
}

/// Checks the steps and bases of every panel.
bool are_sound(const ScreenPanels& panels) {
  for (std::size_t p = 0; p < panels.panels(); ++p) {
    const std::size_t n = std::min<std::size_t>(kPanelRows, panels.rows - p * kPanelRows);
    if (!is_sound({panels.steps(p), n}, 0) || !is_sound({panels.bases(p), n})) return false;
    for (std::size_t r = n; r < kPanelRows; ++r) {
      if (panels.steps(p)[r] != 0 || panels.bases(p)[r] != kNoScreenRow) return false;
    }
  }
  return true;
}

/// Describes the first invalid number of a screen; empty: none.
std::string_view fault_of(const ScreenData& data) {
  for (const double* bound : bounds_of(data)) {
    if (!(*bound >= 0 && *bound <= kMaxStored)) return "a bound is negative, too large or not a number";
  }
  for (const auto* array : arrays_of(data)) {
    const double most = array == &data.dither ? 0.5 : kMaxStored;
    if (!is_sound(*array, -most, most)) return "a number of its basis is out of range";
  }
  if (!are_sound(screen_panels(data.rows, data.hidden_size, data.panels.data())))
    return "a number of its rows is out of range";
  return {};
}

Result<void> check_header(FileReader& file, const PackedMatrix& matrix) {
  char magic[sizeof kMagic] = {};
  std::uint64_t version = 0, sum = 0, rows = 0, size = 0;
  if (!file.read(std::as_writable_bytes(std::span(magic))) || std::memcmp(magic, kMagic, sizeof kMagic) != 0)
    return file.refused("is not a screen");
  if (!file.word(version)) return file.damaged("it ends in its header");
  if (version != kVersion) {
    return file.refused("is a screen of version " + std::to_string(version) +
                        "; this program reads version " + std::to_string(kVersion) +
                        (version < kVersion ? ": make it again with partita prepare" : ""));
  }
  if (!file.word(sum) || !file.word(rows) || !file.word(size)) return file.damaged("it ends in its header");
  if (rows != matrix.rows || size != matrix.cols || sum != content_sum(matrix))
    return file.refused("belongs to the head of another model, or of another version of this one");
  return {};
}

}  // namespace

std::string screen_path(const std::string& model_path) {
  const std::size_t last = model_path.find_last_not_of('/');  // of a directory, also if it is given as "dir/"
  return (last == std::string::npos ? model_path : model_path.substr(0, last + 1)) + ".screen";
}

Result<void> write_screen(const Screen& screen, const PackedMatrix& matrix, const std::string& path) {
  const ScreenData& data = screen.data();
  if (const std::string_view fault = fault_of(data); !fault.empty()) {
    return Error{ErrorCode::kUnsupported, sentence("a screen of this head cannot be stored: ", fault)};
  }
  auto file = AtomicFile::create(path);
  if (!file) return file.error();
  bool written = file->write(std::as_bytes(std::span(kMagic))) && file->write(kVersion) &&
                 file->write(content_sum(matrix)) && file->write(data.rows) && file->write(data.hidden_size);
  for (const double* bound : bounds_of(data))
    written = written && file->write(std::bit_cast<std::uint64_t>(*bound));
  for (const auto* array : arrays_of(data))
    written = written && file->write(std::as_bytes(std::span(*array)));
  written = written && file->write({data.panels.data(), data.panels.size()});
  if (!written) return file->write_error();
  return file->finish();
}

Result<Screen> read_screen(const std::string& path, const PackedMatrix& matrix) {
  const auto opened = InputFile::open(path);
  if (!opened) return opened.error();
  FileReader file(*opened);
  TRY(check_header(file, matrix));
  ScreenData data;
  data.rows = matrix.rows;
  data.hidden_size = matrix.cols;
  TRY(Screen::check_shape(matrix.cols));
  for (double* bound : bounds_of(data)) {
    std::uint64_t word = 0;
    if (!file.word(word)) return file.damaged("it ends in its bounds");
    *bound = std::bit_cast<double>(word);
  }
  for (auto* array : arrays_of(data)) {
    const std::size_t count = data.hidden_size * (array == &data.basis ? data.hidden_size : 1);
    if (count * sizeof(float) > file.bytes_left()) return file.damaged("it ends in its basis");
    array->resize(count);
    if (!file.read(std::as_writable_bytes(std::span(*array)))) return file.damaged("it ends in its basis");
  }
  const ScreenPanels shape = screen_panels(data.rows, data.hidden_size);
  if (file.bytes_left() != shape.bytes()) {
    return file.damaged("it has " + std::to_string(file.bytes_left()) + " bytes of rows; its " +
                        std::to_string(data.rows) + " rows take " + std::to_string(shape.bytes()));
  }
  data.panels = AlignedBytes(shape.bytes());
  if (data.panels.data() == nullptr) return Screen::no_memory(shape.bytes());
  if (!file.read({data.panels.data(), shape.bytes()})) return file.damaged("it ends in its rows");
  TRY(file.verify_checksum());
  if (const std::string_view fault = fault_of(data); !fault.empty()) return file.damaged(std::string(fault));
  return Screen(std::move(data));
}

}  // namespace partita::internal
