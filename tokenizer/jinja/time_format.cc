#include <ctime>
#include <string>

#include "tokenizer/jinja/format.h"

namespace partita::internal::jinja {
namespace {

constexpr const char* kDays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                 "Thursday", "Friday", "Saturday"};
constexpr const char* kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                   "July",    "August",   "September", "October", "November", "December"};

std::tm time_fields(Runtime& runtime, std::optional<std::int64_t> now) {
  std::tm fields{};
  const auto seconds = static_cast<std::time_t>(now ? *now : std::time(nullptr));
  const std::tm* done = now ? gmtime_r(&seconds, &fields) : localtime_r(&seconds, &fields);
  if (done == nullptr) runtime.type_error("the time " + std::to_string(seconds) + " is out of range");
  return fields;
}

std::string time_field(Runtime& runtime, char type, bool bare, const std::tm& t) {
  const auto digits = [bare](int value, int width) {
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "%0*d", bare ? 0 : width, value);
    return std::string(buffer);
  };
  const auto fields = [&](std::string_view pattern) {
    std::string out;
    for (const char c : pattern) out += c >= 'A' ? time_field(runtime, c, false, t) : std::string(1, c);
    return out;
  };
  const int hour12 = t.tm_hour % 12 == 0 ? 12 : t.tm_hour % 12;
  switch (type) {
    case 'Y':
      return std::to_string(t.tm_year + 1900);
    case 'y':
      return digits((t.tm_year % 100 + 100) % 100, 2);
    case 'm':
      return digits(t.tm_mon + 1, 2);
    case 'd':
      return digits(t.tm_mday, 2);
    case 'j':
      return digits(t.tm_yday + 1, 3);
    case 'H':
      return digits(t.tm_hour, 2);
    case 'I':
      return digits(hour12, 2);
    case 'M':
      return digits(t.tm_min, 2);
    case 'S':
      return digits(t.tm_sec, 2);
    case 'w':
      return std::to_string(t.tm_wday);
    case 'A':
      return kDays[t.tm_wday];
    case 'a':
      return std::string(kDays[t.tm_wday], 3);
    case 'B':
      return kMonths[t.tm_mon];
    case 'b':
    case 'h':
      return std::string(kMonths[t.tm_mon], 3);
    case 'p':
      return t.tm_hour < 12 ? "AM" : "PM";
    case 'F':
      return fields("Y-m-d");
    case 'T':
      return fields("H:M:S");
    case 'R':
      return fields("H:M");
    case 'D':
      return fields("m/d/y");
    case '%':
      return "%";
    default:
      runtime.unsupported(std::string("the time format '%") + type + "'");
  }
}

}  // namespace

std::string format_time(Runtime& runtime, std::string_view pattern, std::optional<std::int64_t> now) {
  const std::tm fields = time_fields(runtime, now);
  std::string out;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] != '%' || at + 1 == pattern.size()) {
      out += pattern[at];
      continue;
    }
    const bool bare = pattern[at + 1] == '-' && at + 2 < pattern.size();
    at += bare ? 2 : 1;
    out += time_field(runtime, pattern[at], bare, fields);
  }
  return out;
}

}  // namespace partita::internal::jinja
