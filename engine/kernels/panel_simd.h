// How the kernels read panels (panels.h), as templates over the vector type V: quants as pairs of 16-bit
// integers, scales, panels as they are stored and unpacked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "engine/kernels/panels.h"

namespace partita::internal {
namespace {

inline constexpr std::size_t kQuantVector = 64;  // bytes of 16 x 32 bits
inline constexpr int kPairsPerGroup = kGroupCols / 2;

/// What of a QuantLayout the kernels must know when they are compiled.
struct PanelForm {
  int bits;
  ScaleKind scale;
  int offset = 0;
  int group = kGroupCols;
  bool codebook = false;

  constexpr int halves() const { return kGroupCols / group; }  // scales in 32 columns
};

/// Quants of `Bits` bits, as pairs of 16-bit integers.
template <class V, int Bits>
struct Quants {
  static constexpr std::size_t kGroupBytes = Bits * 64;

  Quants() = default;
  explicit Quants(const QuantLayout&) {}

  /// body(w) for the pairs [16 part, 16 (part + 1)) / Parts of a group, in order.
  template <int Parts, class Body>
  [[gnu::always_inline]] static void pairs(const std::byte* group, int part, Body&& body) {
    constexpr int kCount = kPairsPerGroup / Parts;
    using I = typename V::I;
    if constexpr (Bits == 8) {
      const I mask = V::set_i(0x00FF00FF);
#pragma GCC unroll 4
      for (int t = 0; t < kCount / 4; ++t) {  // eight columns: two vectors of four
        const std::byte* at = group + (part * kCount / 4 + t) * 2 * kQuantVector;
        const I low = V::load_i(at), high = V::load_i(at + kQuantVector);
        body(t * 4 + 0, V::bits_and(low, mask));
        body(t * 4 + 1, V::bits_and(high, mask));
        body(t * 4 + 2, V::bits_and(V::shift_right(low, 8), mask));
        body(t * 4 + 3, V::bits_and(V::shift_right(high, 8), mask));
      }
    } else {
      const I mask = V::set_i(0x000F000F);
      constexpr int kHigh = Bits - 4;
      constexpr int kPairsPerVector = kHigh == 0 ? kPairsPerGroup : 16 / kHigh;
#pragma GCC unroll 4
      for (int t = 0; t < kCount / 4; ++t) {
        const int vector = part * kCount / 4 + t;
        const I v = V::load_i(group + vector * kQuantVector);
#pragma GCC unroll 4
        for (int s = 0; s < 4; ++s) {
          I w = V::bits_and(V::shift_right(v, 4 * s), mask);
          if constexpr (kHigh > 0) {
            const int pair = vector * 4 + s;
            const I plane = V::load_i(group + 256 + pair / kPairsPerVector * kQuantVector);
            const int from = pair % kPairsPerVector * kHigh;
            const I moved = from > 4 ? V::shift_right(plane, from - 4) : V::shift_left(plane, 4 - from);
            w = V::bits_or(w, V::bits_and(moved, V::set_i(kHigh == 1 ? 0x00100010 : 0x00300030)));
          }
          body(t * 4 + s, w);
        }
      }
    }
  }
};

/// Quants of `Bits` bits, at most 4, that a codebook turns into signed bytes.
template <class V, int Bits>
struct CodebookQuants {
  using I = typename V::I;
  static constexpr std::size_t kGroupBytes = Bits * 64;

  I codebook;

  explicit CodebookQuants(const QuantLayout& layout) : codebook(V::load_codebook(layout.codebook->data())) {}

  /// Word t of a group (panels.h).
  [[gnu::always_inline]] static I word(const std::byte* group, int t) {
    if constexpr (Bits == 3) {
      if (t == 3) {
        const auto bits = [&](int vector, int left) __attribute__((always_inline)) {
          const I v = V::load_i(group + vector * kQuantVector);
          const I moved = V::shift_right(v, 3 - left);
          return V::bits_and(moved, V::set_i(0x11111111 << left));
        };
        return V::bits_or(V::bits_or(bits(0, 0), bits(1, 1)), bits(2, 2));
      }
      return V::load_i(group + t * kQuantVector);
    } else {
      constexpr int kPerVector = 4 / Bits;
      const I v = V::load_i(group + t / kPerVector * kQuantVector);
      const int shift = t % kPerVector * Bits;
      return shift == 0 ? v : V::shift_right(v, shift);
    }
  }

  /// Eight columns of a word: four signed bytes each, the first columns and the last. For vector types that
  /// look bytes up.
  struct Eight {
    I first, last;
  };
  [[gnu::always_inline]] Eight eight(const std::byte* group, int t) const {
    const I mask = V::set_i(0x0F0F0F0F), w = word(group, t);
    return {V::look_up(codebook, V::bits_and(w, mask)),
            V::look_up(codebook, V::bits_and(V::shift_right(w, 4), mask))};
  }

  /// As of Quants.
  template <int Parts, class Body>
  [[gnu::always_inline]] void pairs(const std::byte* group, int part, Body&& body) const {
    constexpr int kCount = 4 / Parts;
#pragma GCC unroll 4
    for (int t = 0; t < kCount; ++t) {
      I pairs[4];
      V::look_up_pairs(codebook, word(group, part * kCount + t), pairs);
#pragma GCC unroll 4
      for (int s = 0; s < 4; ++s) body(t * 4 + s, pairs[s]);
    }
  }
};

/// The scales of a panel by their kind: scale(g, half) and, if kHasMinimum, the added minimum(g, half).
template <class V, PanelForm Form>
struct Scales {
  static constexpr ScaleKind kKind = Form.scale;
  static constexpr bool kHasMinimum =
      kKind == ScaleKind::kF16Min || kKind == ScaleKind::kSuper || kKind == ScaleKind::kSuperU4;
  static constexpr int kHalves = Form.halves();
  static constexpr std::size_t kBytes = kKind == ScaleKind::kSuper ? 32 : 16 * kHalves;  // of byte scales
  static constexpr std::size_t kSuperBytes =
      kKind == ScaleKind::kSuper || kKind == ScaleKind::kSuperU4 ? 64 : 32;
  static constexpr std::size_t kGroupBytes =  // of scales, on average
      kKind == ScaleKind::kF16                                  ? 32
      : kKind == ScaleKind::kF16Min                             ? 64
      : kKind == ScaleKind::kE8M0 || kKind == ScaleKind::kUE4M3 ? kBytes
                                                                : kBytes + kSuperBytes / kSuperGroups;
  using F = typename V::F;

  const std::byte* base;
  float factor;  // QuantLayout::factor

  F scale(std::size_t g, int half) const {
    if constexpr (kKind == ScaleKind::kF16) return V::load_f16(base + g * 32);
    if constexpr (kKind == ScaleKind::kF16Min) return V::load_f16(base + g * 64);
    if constexpr (kKind == ScaleKind::kSuper) return V::mul(V::load_f16(super(g)), V::load_u8(own(g)));
    if constexpr (kKind == ScaleKind::kSuperU4)
      return V::mul(V::load_f16(super(g)), V::load_u4(own(g) + 16 * half, 0));
    if constexpr (kKind == ScaleKind::kSuperI8) {
      F d = V::load_f16(super(g));
      if constexpr (Form.codebook) d = V::mul(d, V::set(factor));
      return V::mul(d, V::load_i8(own(g) + 16 * half));
    }
    if constexpr (kKind == ScaleKind::kE8M0) {  // 2^-127 and below are 0
      const F exponent = V::sub(V::load_u8(base + g * kBytes), V::set(128.0F));
      return V::power_of_two(V::max(V::set(-127.0F), exponent));
    }
    if constexpr (kKind == ScaleKind::kUE4M3)
      return V::mul(V::load_e4m3(base + g * kBytes + 16 * half), V::set(128.0F));
  }
  F minimum(std::size_t g, int half) const {
    if constexpr (kKind == ScaleKind::kF16Min) return V::load_f16(base + g * 64 + 32);
    if constexpr (kKind == ScaleKind::kSuperU4) {
      const F mn = V::load_u4(own(g) + 16 * half, 4);
      return V::sub(V::set(0.0F), V::mul(V::load_f16(super(g) + 32), mn));
    }
    return V::sub(V::set(0.0F), V::mul(V::load_f16(super(g) + 32), V::load_u8(own(g) + 16)));
  }

 private:
  const std::byte* super(std::size_t g) const {
    return base + g / kSuperGroups * (kSuperBytes + kSuperGroups * kBytes);
  }
  const std::byte* own(std::size_t g) const { return super(g) + kSuperBytes + g % kSuperGroups * kBytes; }
};

/// A panel in its packed form, in the precision of the file.
template <class V, PanelForm Form>
struct PackedPanel {
  using Q = std::conditional_t<Form.codebook, CodebookQuants<V, Form.bits>, Quants<V, Form.bits>>;
  using S = Scales<V, Form>;
  static constexpr int kHalves = S::kHalves;
  static constexpr bool kHasMinimum = S::kHasMinimum;
  // With two scales in a group one sum of activations is not enough, so the offset is subtracted from the
  // quants.
  static constexpr int kSumOffset = kHalves == 1 ? Form.offset : 0;

  const std::byte* quants;
  S scales;
  std::ptrdiff_t to_next;  // bytes to the panel after this one
  Q q;

  PackedPanel(const PackedMatrix& w, std::size_t p, std::ptrdiff_t bytes_to_next)
      : quants(w.quants(p)), scales{w.scales(p), w.layout.factor}, to_next(bytes_to_next), q(w.layout) {}

  template <class Body>
  [[gnu::always_inline]] void pairs(std::size_t g, int half, Body&& body) const {
    if constexpr (kHalves == 1) {
      q.template pairs<1>(quants + g * Q::kGroupBytes, 0, body);
    } else if constexpr (Form.offset == 0) {
      q.template pairs<kHalves>(quants + g * Q::kGroupBytes, half, body);
    } else {
      const auto offset = V::set_i(Form.offset << 16 | Form.offset);
      q.template pairs<kHalves>(
          quants + g * Q::kGroupBytes, half, [&](int p, typename V::I w) __attribute__((always_inline)) {
            body(p, V::sub_16(w, offset));
          });
    }
  }
  typename V::F scale(std::size_t g, int half) const { return scales.scale(g, half); }
  typename V::F minimum(std::size_t g, int half) const { return scales.minimum(g, half); }

  /// Prefetches group g of the next panel into the second-level cache while the current panel is multiplied.
  /// With few rows the hardware prefetcher leaves half of the memory bandwidth unused.
  void prefetch(std::size_t g) const {
    constexpr int kRead = 0, kSecondLevel = 2;
    const std::byte* at = quants + to_next + g * Q::kGroupBytes;
    for (std::size_t i = 0; i < Q::kGroupBytes; i += 64) __builtin_prefetch(at + i, kRead, kSecondLevel);
    __builtin_prefetch(scales.base + to_next + g * S::kGroupBytes, kRead, kSecondLevel);
  }
};

/// The unpacked panel: pairs as 16 x 2 x int16 minus the offset, scales and minima as floats.
template <class V, int Halves, bool HasMinimum>
struct UnpackedPanel {
  static constexpr int kHalves = Halves;
  static constexpr bool kHasMinimum = HasMinimum;
  static constexpr int kSumOffset = 0;
  static constexpr std::size_t kGroupBytes = kPairsPerGroup * kQuantVector;

  std::byte* quants;  // [groups][16 pairs][64 bytes]
  float* scales;      // [groups][Halves][16]
  float* minima;      // [groups][Halves][16]

  static constexpr std::size_t bytes(std::size_t groups) {
    return groups * (kGroupBytes + (1 + HasMinimum) * Halves * kPanelRows * sizeof(float));
  }

  UnpackedPanel(std::byte* scratch, std::size_t groups)
      : quants(scratch),
        scales(reinterpret_cast<float*>(scratch + groups * kGroupBytes)),
        minima(scales + groups * Halves * kPanelRows) {}

  template <class Packed>
  void fill(const Packed& packed, std::size_t groups) {
    fill(packed, groups, [](std::size_t, int, typename V::I) {});
  }

  /// Calls also(g, i, w) for pair i of each group.
  template <class Packed, class Also>
  [[gnu::always_inline]] void fill(const Packed& packed, std::size_t groups, Also&& also) {
    const auto offset = V::set_i(Packed::kSumOffset << 16 | Packed::kSumOffset);
    for (std::size_t g = 0; g < groups; ++g) {
      packed.prefetch(g);
      for (int half = 0; half < Halves; ++half) {
        std::byte* at = quants + g * kGroupBytes + half * (kGroupBytes / Halves);
        packed.pairs(
            g, half, [&](int p, typename V::I w) __attribute__((always_inline)) {
              const typename V::I less = V::sub_16(w, offset);
              V::store_i(at + p * kQuantVector, less);
              also(g, half * kPairsPerGroup / Halves + p, less);
            });
        V::store(scales + (g * Halves + half) * kPanelRows, packed.scale(g, half));
        if constexpr (HasMinimum)
          V::store(minima + (g * Halves + half) * kPanelRows, packed.minimum(g, half));
      }
    }
  }

  template <class Body>
  [[gnu::always_inline]] void pairs(std::size_t g, int half, Body&& body) const {
    const std::byte* at = quants + g * kGroupBytes + half * (kGroupBytes / Halves);
#pragma GCC unroll 1  // unrolled further, g++ hoists loads until the accumulators spill
    for (int p = 0; p < kPairsPerGroup / Halves; ++p) body(p, V::load_i(at + p * kQuantVector));
  }
  typename V::F scale(std::size_t g, int half) const {
    return V::load(scales + (g * Halves + half) * kPanelRows);
  }
  typename V::F minimum(std::size_t g, int half) const {
    return V::load(minima + (g * Halves + half) * kPanelRows);
  }
  void prefetch(std::size_t) const {}
};

template <Dtype Type>
struct Float {};
template <PanelForm Form>
struct Quantized {};

/// The form of a type with a codebook.
template <int Bits, ScaleKind Scale, int Group = kGroupCols>
using Coded = Quantized<PanelForm{.bits = Bits, .scale = Scale, .group = Group, .codebook = true}>;

/// The panel layout of each type: the one list of types that the kernels support.
template <class OnFloat, class OnQuantized>
void for_type(Dtype type, OnFloat&& on_float, OnQuantized&& on_quantized) {
  switch (type) {
    case Dtype::kF32:
      return on_float(Float<Dtype::kF32>{});
    case Dtype::kF16:
      return on_float(Float<Dtype::kF16>{});
    case Dtype::kBF16:
      return on_float(Float<Dtype::kBF16>{});
    case Dtype::kQ4_0:
      return on_quantized(Quantized<PanelForm{4, ScaleKind::kF16, 8}>{});
    case Dtype::kQ4_1:
      return on_quantized(Quantized<PanelForm{4, ScaleKind::kF16Min}>{});
    case Dtype::kQ5_0:
      return on_quantized(Quantized<PanelForm{5, ScaleKind::kF16, 16}>{});
    case Dtype::kQ5_1:
      return on_quantized(Quantized<PanelForm{5, ScaleKind::kF16Min}>{});
    case Dtype::kQ8_0:
      return on_quantized(Quantized<PanelForm{8, ScaleKind::kF16, 128}>{});
    case Dtype::kQ4_K:
      return on_quantized(Quantized<PanelForm{4, ScaleKind::kSuper}>{});
    case Dtype::kQ5_K:
      return on_quantized(Quantized<PanelForm{5, ScaleKind::kSuper}>{});
    case Dtype::kQ6_K:
      return on_quantized(Quantized<PanelForm{6, ScaleKind::kSuperI8, 32, 16}>{});
    case Dtype::kQ2_K:
      return on_quantized(Coded<2, ScaleKind::kSuperU4, 16>{});
    case Dtype::kQ3_K:
    case Dtype::kIQ2_S:
    case Dtype::kIQ2_XS:
    case Dtype::kIQ1_M:
      return on_quantized(Coded<3, ScaleKind::kSuperI8, 16>{});
    case Dtype::kIQ2_XXS:
    case Dtype::kIQ1_S:
      return on_quantized(Coded<3, ScaleKind::kSuperI8>{});
    case Dtype::kIQ4_XS:
    case Dtype::kIQ3_S:
    case Dtype::kIQ3_XXS:
      return on_quantized(Coded<4, ScaleKind::kSuperI8>{});
    case Dtype::kIQ4_NL:
      return on_quantized(Coded<4, ScaleKind::kF16>{});
    case Dtype::kMXFP4:
      return on_quantized(Coded<4, ScaleKind::kE8M0>{});
    case Dtype::kNVFP4:
      return on_quantized(Coded<4, ScaleKind::kUE4M3, 16>{});
    case Dtype::kTQ1_0:
    case Dtype::kTQ2_0:
    case Dtype::kQ2_0:
      return on_quantized(Coded<2, ScaleKind::kF16>{});
    case Dtype::kQ1_0:
      return on_quantized(Coded<1, ScaleKind::kF16>{});
  }
}

}  // namespace
}  // namespace partita::internal
