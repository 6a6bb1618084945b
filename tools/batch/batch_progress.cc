#include "tools/batch/batch_progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace tools {
namespace {

std::string duration(double seconds) {
  const auto whole = static_cast<long long>(std::min(seconds, 1e9));
  char text[40];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld:%02lld", whole / 60, whole % 60);
  }
  return text;
}

std::string bar_of(double fraction) {
  constexpr std::size_t kWidth = 10;
  const auto filled = static_cast<std::size_t>(std::clamp(fraction, 0.0, 1.0) * kWidth);
  std::string bar = "[";
  bar.append(filled, '#').append(kWidth - filled, '.').append("] ");
  return bar;
}

}  // namespace

std::string progress_text(const BatchCounts& counts, std::optional<RowTotal> total_rows, double seconds,
                          bool bar) {
  // A resumed job has most of its rows before it has read them in the input.
  std::size_t done = counts.rows + std::max(counts.skipped, counts.found);
  if (total_rows && total_rows->exact) {
    done = std::max(counts.rows + counts.skipped, std::min(done, static_cast<std::size_t>(total_rows->rows)));
  }
  const double all = std::max(total_rows ? std::round(total_rows->rows) : 0.0, static_cast<double>(done));
  std::string text = std::to_string(done);
  if (total_rows) {
    if (bar) text.insert(0, bar_of(static_cast<double>(done) / std::max(all, 1.0)));
    char of[48];
    std::snprintf(of, sizeof of, total_rows->exact ? " of %.0f" : " of about %.0f", all);
    text += of;
  }
  text += " rows";
  if (counts.errors > 0) text += ", " + std::to_string(counts.errors) + " errors";
  char rate[48];
  std::snprintf(rate, sizeof rate, ", %.0f tokens/s",
                seconds > 0 ? static_cast<double>(counts.tokens) / seconds : 0.0);
  text += rate;
  if (total_rows && counts.rows > 0) {
    const double left = all - static_cast<double>(done);
    text += ", " + duration(left * seconds / static_cast<double>(counts.rows)) + " left";
  }
  return text;
}

BatchProgress::BatchProgress(bool quiet, double every)
    : terminal_(isatty(STDERR_FILENO) != 0),
      quiet_(quiet),
      every_(std::chrono::duration_cast<Clock::duration>(
          std::chrono::duration<double>(terminal_ ? 0.2 : every))) {}

bool BatchProgress::due() const { return !quiet_ && Clock::now() - shown_ >= every_; }

double BatchProgress::seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

void BatchProgress::show(const BatchCounts& counts, std::optional<RowTotal> total_rows) {
  shown_ = Clock::now();
  const std::string text = progress_text(counts, total_rows, seconds(), terminal_);
  if (!terminal_) {
    std::fprintf(stderr, "partita: %s\n", text.c_str());
    return;
  }
  const int width = static_cast<int>(std::max(drawn_, text.size()));
  std::fprintf(stderr, "\r%-*s", width, text.c_str());
  std::fflush(stderr);
  drawn_ = text.size();
}

void BatchProgress::clear() {
  if (drawn_ == 0) return;
  std::fprintf(stderr, "\r%*s\r", static_cast<int>(drawn_), "");
  std::fflush(stderr);
  drawn_ = 0;
}

}  // namespace tools
