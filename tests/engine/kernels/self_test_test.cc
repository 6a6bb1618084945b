// The self-test of kernel tables: right tables pass, wrong ones are found and the next lower one is used.
#include "engine/kernels/self_test.h"

#include <algorithm>
#include <cstring>

#include "engine/kernels/dispatch.h"
#include "engine/kernels/tile_products.h"
#include "engine/step.h"
#include "tests/catch.h"
#include "tests/engine/runs.h"
#include "tests/engine/tiny_models.h"
#include "tests/environment.h"

using namespace partita;

using namespace partita::internal;
using namespace partita::internal::testing;

namespace {

Isa best() { return supported_isas().back(); }
const Kernels& right() { return kernels(best()); }

KernelUse everything() {
  KernelUse use;
  use.types = all_dtypes();
  use.cols = {96};
  use.latents = {{80, 64}};
  return use;
}

using Spoil = void (*)(Kernels&);

Kernels spoiled(Spoil spoil) {
  Kernels table = right();
  spoil(table);
  return table;
}

/// Products of Q6_K without their last output for this many rows.
template <std::size_t Rows>
void spoil_q6_k(Kernels& table) {
  table.matmul = [](const PackedMatrix& w, PanelRange panels, const Activations& x, float* y, std::size_t ld,
                    std::byte* scratch) {
    right().matmul(w, panels, x, y, ld, scratch);
    if (w.dtype == Dtype::kQ6_K && x.rows == Rows) y[(x.rows - 1) * ld + w.rows - 1] = 0;
  };
}

struct Fault {
  const char* name;
  Spoil spoil;
};

/// A small fault in every kernel, such as a wrong instruction or a wrong partial vector causes.
const Fault kFaults[] = {
    {"quantize",
     [](Kernels& t) {
       t.quantize = [](const Activations& x, std::size_t first, std::size_t last) {
         right().quantize(x, first, last);
         x.q[(last - 1) * quant_stride(x.cols) + x.cols - 1] += 1;
       };
     }},
    {"quantize",
     [](Kernels& t) {
       t.quantize = [](const Activations& x, std::size_t first, std::size_t last) {
         right().quantize(x, first, last);
         x.sum[(last - 1) * (x.cols / kGroupCols)] += 1;
       };
     }},
    {"matmul of Q6_K", spoil_q6_k<1>},
    {"matmul of Q6_K", spoil_q6_k<15>},
    {"matmul of F32",
     [](Kernels& t) {
       t.matmul = [](const PackedMatrix& w, PanelRange panels, const Activations& x, float* y, std::size_t ld,
                     std::byte* scratch) {
         right().matmul(w, panels, x, y, ld, scratch);
         if (w.dtype == Dtype::kF32) y[0] += x.values[0] * 0x1p-8F;  // the smallest weight other than 0
       };
     }},
    {"unpack of F32",
     [](Kernels& t) {
       t.unpack = [](const PackedMatrix& w, std::size_t panel, float* out, std::size_t ld) {
         right().unpack(w, panel, out, ld);
         out[(w.cols - 1) * ld + kPanelRows - 1] *= 1.5F;
       };
     }},
    {"rms_norm",
     [](Kernels& t) {
       t.rms_norm = [](const float* x, const float* weight, std::size_t n, float eps, float* y) {
         right().rms_norm(x, weight, n - 1, eps, y);
       };
     }},
    {"layer_norm",
     [](Kernels& t) {
       t.layer_norm = [](const float* x, const float* weight, const float*, std::size_t n, float eps,
                         float* y) { right().layer_norm(x, weight, nullptr, n, eps, y); };
     }},
    {"add",
     [](Kernels& t) { t.add = [](const float* x, std::size_t n, float* y) { right().add(x, n - 1, y); }; }},
    {"gate",
     [](Kernels& t) {
       t.gate = [](const Gate& f, const float* g, const float* up, std::size_t n, float* y) {
         const bool silu = f.function == GateFunction::kSilu;
         right().gate(silu ? GateFunction::kGeluTanh : GateFunction::kSilu, g, up, n, y);
       };
     }},
    {"decay",
     [](Kernels& t) {
       t.decay = [](const float* x, const float* bias, const float*, std::size_t n, float* y) {
         right().decay(x, bias, bias, n, y);
       };
     }},
    {"delta_rule",
     [](Kernels& t) {
       t.delta_rule = [](const DeltaTokens& tokens, float* state, float* y, std::size_t ld) {
         DeltaTokens first = tokens;
         first.decay_of_key = false;
         right().delta_rule(first, state, y, ld);
       };
     }},
    {"soft_cap",
     [](Kernels& t) {
       t.soft_cap = [](float cap, std::size_t n, float* y) { right().soft_cap(2 * cap, n, y); };
     }},
    {"rope",
     [](Kernels& t) {
       t.rope = [](float* x, const float* cos, const float* sin, std::size_t half) {
         right().rope(x, sin, cos, half);
       };
     }},
    {"append",
     [](Kernels& t) {
       t.append = [](KvType type, const float* k, const float* v, HeadWidths widths, int token,
                     std::byte* k_page,
                     std::byte* v_page) { right().append(type, k, v, widths, token / 2, k_page, v_page); };
     }},
    {"attend",
     [](Kernels& t) {
       t.attend = [](KvType type, const QueryTile& tile, const KvPage& page, int n_keys,
                     const SoftmaxState& state) { right().attend(type, tile, page, n_keys - 1, state); };
     }},
    {"append_latent",
     [](Kernels& t) {
       t.append_latent = [](KvType type, const float* latent, std::size_t width, int token, std::byte* page) {
         right().append_latent(type, latent, width, token / 2, page);
       };
     }},
    {"attend_latent",
     [](Kernels& t) {
       t.attend_latent = [](KvType type, const QueryTile& tile, const KvPage& page, int n_keys,
                            const SoftmaxState& state) {
         right().attend_latent(type, tile, page, n_keys - 1, state);
       };
     }},
    {"attend",
     [](Kernels& t) {
       t.attend = [](KvType type, const QueryTile& tile, const KvPage& page, int n_keys,
                     const SoftmaxState& state) {
         QueryTile uncapped = tile;
         uncapped.cap = 0;
         right().attend(type, uncapped, page, n_keys, state);
       };
     }},
    {"attend",
     [](Kernels& t) { t.merge = [](const SoftmaxState&, int, std::uint32_t, const SoftmaxState&) {}; }},
    {"attend", [](Kernels& t) { t.finish = [](const SoftmaxState&, int, std::uint32_t) {}; }},
    {"max", [](Kernels& t) { t.max = [](const float* x, std::size_t n) { return right().max(x, n - 1); }; }},
    {"exp_sum",
     [](Kernels& t) {
       t.exp_sum = [](const float* x, std::size_t n, float shift, double scale, float* y) {
         const double sum = right().exp_sum(x, n, shift, scale, y);
         y[n - 1] *= 1 + 0x1p-22F;
         return sum;
       };
     }},
    {"softplus",
     [](Kernels& t) {
       t.softplus = [](const float* x, std::size_t n, float* y) {
         right().softplus(x, n, y);
         y[n - 1] *= 1 + 0x1p-17F;
       };
     }},
    {"scan",
     [](Kernels& t) {
       t.scan = [](const float* decay, std::size_t, const float* input, const float* b, const float* c,
                   std::size_t n, float* state,
                   float* y) { right().scan(decay, 0, input, b, c, n, state, y); };
     }},
    {"change_basis",
     [](Kernels& t) {
       t.change_basis = [](const float* x, const float* mean, std::size_t n, const float* columns,
                           std::size_t ld, std::size_t count,
                           double* y) { right().change_basis(x, mean, n - 1, columns, ld, count, y); };
     }},
};

/// Tables with wrong products of Q4_0, in the best instruction set or in all but the scalar one.
const Kernels& wrong_best(Isa isa) {
  static const Kernels wrong = spoiled([](Kernels& t) {
    t.matmul = [](const PackedMatrix& w, PanelRange panels, const Activations& x, float* y, std::size_t ld,
                  std::byte* scratch) {
      right().matmul(w, panels, x, y, ld, scratch);
      if (w.dtype == Dtype::kQ4_0) std::swap(y[0], y[1]);
    };
  });
  return isa == best() ? wrong : kernels(isa);
}
const Kernels& wrong_all(Isa isa) { return isa == Isa::kScalar ? kernels(isa) : wrong_best(best()); }

std::string failing_tiles(const Kernels&, std::span<const std::size_t>) { return "they failed"; }

/// The instruction set below the best one of this processor.
Isa below_best() {
  const std::vector<Isa> isas = supported_isas();
  return best() == Isa::kAmx ? Isa::kVnni : isas[isas.size() - 2];
}

}  // namespace

TEST_CASE("Every table passes its test, for every type, cache, head and gate") {
  KernelUse use = everything();
  for (const Isa isa : supported_isas()) {
    INFO(name(isa));
    for (const KvType cache : kKvTypes) {
      for (const HeadWidths widths : {HeadWidths{16, 16}, {64, 64}, {80, 80}, {512, 512}, {96, 64}}) {
        for (const GateFunction gate : kGateFunctions) {
          use.cache = cache;
          use.heads = {widths};
          use.gate = gate;
          CHECK(differing_kernel(kernels(isa), use) == "");
          use.types.clear();  // once is enough
        }
      }
    }
    use.types = all_dtypes();
  }
}

TEST_CASE("oneDNN's products pass their test at every width") {
  if (!can_run(Isa::kAmxEmulated)) return;
  const std::size_t cols[] = {16, 48, 96, 160, 576, 1536, 2048, 6912};
  CHECK(differing_tiles(right(), cols) == "");
}

TEST_CASE("A fault in any kernel is found, by its name") {
  for (const Fault& fault : kFaults) {
    INFO(fault.name << " is to be found");
    CHECK(differing_kernel(spoiled(fault.spoil), everything()) == fault.name);
  }
}

TEST_CASE("A fault in a kernel that is not used is ignored") {
  KernelUse use = everything();
  std::erase(use.types, Dtype::kQ6_K);
  CHECK(differing_kernel(spoiled(spoil_q6_k<1>), use) == "");
  use.cols.clear();
  CHECK(differing_kernel(spoiled([](Kernels& t) {
                           t.unpack = [](const PackedMatrix&, std::size_t, float*, std::size_t) {};
                         }),
                         use) == "");
}

TEST_CASE("A table that differs is replaced by the next lower one, unless it is forced") {
  if (best() == Isa::kScalar) return;
  const KernelUse use{.types = {Dtype::kQ4_1, Dtype::kQ4_0}};
  const std::string refused = std::string(name(best())) + " (matmul of Q4_0)";
  const auto tested = test_kernels(best(), false, use, {.table = wrong_best});
  REQUIRE(tested.ok());
  CHECK(tested->isa == below_best());
  CHECK(tested->table == &kernels(below_best()));
  CHECK(tested->refused == refused);

  const auto forced = test_kernels(best(), true, use, {.table = wrong_best});
  REQUIRE_FALSE(forced.ok());
  CHECK(forced.error().code == ErrorCode::kUnsupported);
  CHECK(forced.error().message ==
        "the kernels of " + std::string(name(best())) +
            " were asked for, but they do not compute here what the definition does: matmul of Q4_0");

  const auto last = test_kernels(best(), false, use, {.table = wrong_all});
  REQUIRE(last.ok());
  CHECK(last->isa == Isa::kScalar);
  CHECK(last->refused.starts_with(refused + ", "));

  const auto others = test_kernels(best(), false, {.types = {Dtype::kQ4_1}}, {.table = wrong_best});
  REQUIRE(others.ok());
  CHECK(others->isa == best());
  CHECK(others->refused.empty());
}

TEST_CASE("Tiles that differ or fail are replaced by VNNI, unless they are forced") {
  if (!can_run(Isa::kVnni)) return;
  const KernelUse use{.types = {Dtype::kQ8_0}, .cols = {96, 160}};
  const auto good = test_kernels(Isa::kAmx, false, use);
  REQUIRE(good.ok());
  CHECK(good->isa == Isa::kAmx);
  CHECK(good->refused.empty());

  const auto failed = test_kernels(Isa::kAmx, false, use, {.differing_tiles = failing_tiles});
  REQUIRE(failed.ok());
  CHECK(failed->isa == Isa::kVnni);
  CHECK(failed->table == &kernels(Isa::kVnni));
  CHECK(failed->refused == "amx (they failed)");
  CHECK(test_kernels(Isa::kVnni, false, use, {.differing_tiles = failing_tiles})->refused.empty());

  const auto forced = test_kernels(Isa::kAmxEmulated, true, use, {.differing_tiles = failing_tiles});
  REQUIRE_FALSE(forced.ok());
  CHECK(forced.error().message ==
        "the kernels of amx-emulated were asked for, but they do not compute here what the definition does: "
        "they "
        "failed");

  // A weight that is wrong for the tiles, only in the narrowest matrix.
  const Kernels wrong = spoiled([](Kernels& t) {
    t.unpack = [](const PackedMatrix& w, std::size_t panel, float* out, std::size_t ld) {
      right().unpack(w, panel, out, ld);
      if (w.cols == 96) out[95 * ld] += 0.0625F;
    };
  });
  CHECK(differing_tiles(wrong, use.cols) == "bf16 products of 96 columns");
  CHECK(differing_tiles(wrong, std::array<std::size_t, 1>{160}) == "");
}

TEST_CASE("A model computes with the table that passed, to the bit") {
  if (best() == Isa::kScalar) return;
  const ScopedVariable not_forced("PARTITA_ISA", nullptr);
  const TinyFile file(tiny_llama(Dtype::kQ4_0));
  const auto hidden = [](const std::shared_ptr<const Transformer>& model) {
    Runner runner(model, 1);
    KvSequence sequence = runner.sequence();
    return runner.run(sequence, random_tokens(20, 101, 3), 20);
  };
  LoadOptions options;
  options.kernels.table = wrong_all;
  const auto model = load(file.gguf(), options);
  CHECK(model->isa() == Isa::kScalar);
  CHECK(&model->kernels() == &kernels(Isa::kScalar));
  CHECK(model->refused_kernels().find("(matmul of Q4_0)") != std::string::npos);
  CHECK(hidden(model) == hidden(load(file.gguf(), {.isa = Isa::kScalar})));
  CHECK(load(file.gguf(), {})->refused_kernels().empty());

  options.isa = best();
  const auto forced = Transformer::load(file.gguf(), options);
  REQUIRE_FALSE(forced.ok());
  CHECK(forced.error().code == ErrorCode::kUnsupported);
  // The exact kernels, the definition, are not tested.
  options.exact = true;
  CHECK(load(file.gguf(), options)->refused_kernels().empty());
}
