#include "engine/kernels/isa.h"

#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace partita::internal {
namespace {

#if defined(__x86_64__)
/// Linux grants the tile registers to a process only when asked (arch_prctl, since 5.16).
bool request_tiles() {
#if defined(SYS_arch_prctl)
  constexpr int kRequestPermission = 0x1023;
  constexpr int kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

bool has_amx_bf16() {
  unsigned a = 7, b = 0, c = 0, d = 0;
  __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  constexpr unsigned kBf16 = 1U << 22, kTile = 1U << 24;
  return (d & kBf16) != 0 && (d & kTile) != 0 && request_tiles();
}

/// Uses cpuid directly: clang 14's __builtin_cpu_supports does not know the name.
bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

bool has(Isa isa) {
  __builtin_cpu_init();
  switch (isa) {
    case Isa::kScalar:
      return true;
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    case Isa::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case Isa::kVnni:
    case Isa::kVnniWinograd:
      return __builtin_cpu_supports("avx512vnni");
    case Isa::kAmx:
      return has_amx_bf16();
    case Isa::kAmxEmulated:
      return has(Isa::kAvx512);
    case Isa::kNeon:
    case Isa::kNeonDot:
      break;
  }
  return false;
}

constexpr std::array kAll = {Isa::kScalar, Isa::kAvx2,         Isa::kAvx512,
                             Isa::kVnni,   Isa::kVnniWinograd, Isa::kAmx};
constexpr std::array kForced = {Isa::kAmxEmulated};
#elif defined(__aarch64__)
bool has(Isa isa) {
  constexpr unsigned long kAsimd = 1UL << 1, kAsimdDp = 1UL << 20;  // HWCAP_* of Linux's asm/hwcap.h
  const unsigned long found = getauxval(AT_HWCAP);
  switch (isa) {
    case Isa::kScalar:
      return true;
    case Isa::kNeon:
      return (found & kAsimd) != 0;
    case Isa::kNeonDot:
      return (found & kAsimdDp) != 0;
    default:
      return false;
  }
}

constexpr std::array kAll = {Isa::kScalar, Isa::kNeon, Isa::kNeonDot};
constexpr std::array<Isa, 0> kForced = {};
#else
bool has(Isa isa) { return isa == Isa::kScalar; }
constexpr std::array kAll = {Isa::kScalar};
constexpr std::array<Isa, 0> kForced = {};
#endif

}  // namespace

std::string_view name(Isa isa) {
  constexpr std::array<std::string_view, 9> kNames = {
      "scalar", "avx2", "avx512", "vnni", "vnni-winograd", "amx", "neon", "neon-dot", "amx-emulated"};
  return kNames[static_cast<std::size_t>(isa)];
}

std::optional<Isa> find_isa(std::string_view wanted) {
  for (const Isa isa : kAll) {
    if (name(isa) == wanted) return isa;
  }
  for (const Isa isa : kForced) {
    if (name(isa) == wanted) return isa;
  }
  return std::nullopt;
}

std::string isa_names() {
  std::string names;
  for (const Isa isa : kAll) names += (names.empty() ? "" : ", ") + std::string(name(isa));
  for (const Isa isa : kForced) names += ", " + std::string(name(isa));
  return names;
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> found;
  for (Isa isa : kAll) {
    if (!has(isa)) break;  // each includes those before it
    found.push_back(isa);
  }
  return found;
}

bool can_run(Isa isa) {
  const std::vector<Isa> found = supported_isas();
  if (std::find(found.begin(), found.end(), isa) != found.end()) return true;
  return std::find(kForced.begin(), kForced.end(), isa) != kForced.end() && has(isa);
}

}  // namespace partita::internal
