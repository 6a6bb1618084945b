#include "engine/layers/layer.h"

namespace partita::internal {
namespace {

void add(const Linear& linear, std::vector<const Linear*>& all) {
  if (linear.weight.rows != 0) all.push_back(&linear);
}

void add(const Ffn& ffn, std::vector<const Linear*>& all) {
  for (const Linear* linear : {&ffn.gate, &ffn.up, &ffn.down}) add(*linear, all);
}

std::size_t bytes_of(const std::vector<const Linear*>& linears) {
  std::size_t bytes = 0;
  for (const Linear* linear : linears) bytes += linear->bytes();
  return bytes;
}

}  // namespace

std::vector<const Linear*> Mla::linears() const {
  std::vector<const Linear*> all = {&q_a, &q, &k, &out};
  for (const Linear& one : k_b) all.push_back(&one);
  for (const Linear& one : v_b) all.push_back(&one);
  return all;
}

const char* Layer::mixing() const {
  if (std::holds_alternative<AttentionAndMamba2>(mixer)) return "attention scores or the recurrence";
  return attention() != nullptr ? "attention scores" : "the recurrence";
}

std::vector<const Linear*> Layer::linears() const {
  std::vector<const Linear*> all;
  for (const Linear* linear : std::visit([](const auto& m) { return m.linears(); }, mixer)) add(*linear, all);
  if (const auto* one = std::get_if<Ffn>(&ffn)) {
    add(*one, all);
  } else {
    const Moe& moe = std::get<Moe>(ffn);
    add(moe.router, all);
    for (const Ffn& expert : moe.experts) add(expert, all);
    add(moe.shared, all);
    add(moe.shared_gate, all);
  }
  for (const Linear* linear : {&token_input.gate, &token_input.proj, &laurel.left, &laurel.right})
    add(*linear, all);
  return all;
}

std::vector<const Norm*> Layer::norms() const {
  std::vector<const Norm*> all = std::visit([](const auto& m) { return m.norms(); }, mixer);
  all.insert(all.end(), {&pre, &post, &ffn_pre, &ffn_shift.norm, &ffn_post, &token_input.post, &laurel.post});
  if (const auto* moe = std::get_if<Moe>(&ffn))
    all.insert(all.end(), {&moe->router_norm, &moe->pre, &moe->post, &moe->shared_post});
  return all;
}

std::size_t Layer::bytes_per_token() const {
  std::size_t bytes = bytes_of(linears()) + altup.bytes();
  for (const Norm* norm : norms()) bytes += norm->bytes();
  if (const auto* moe = std::get_if<Moe>(&ffn)) {
    std::vector<const Linear*> expert;
    add(moe->experts.front(), expert);
    bytes -= bytes_of(expert) * (moe->experts.size() - moe->routing.used);
  }
  return bytes;
}

}  // namespace partita::internal
