#include "api/summary.h"

#include "api/adapters/gguf_adapter.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "api/doctor/memory.h"
#include "api/template_kind.h"
#include "engine/model.h"
#include "engine/models/config_reader.h"
#include "weights/json/document.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

using Json = nlohmann::ordered_json;

/// The tensors of one element type.
struct TypeShare {
  std::size_t tensors = 0;
  std::uint64_t elements = 0;

  void add(const Shape& shape) {
    ++tensors;
    elements += shape.elements();
  }
};

std::map<std::string, TypeShare> count_types(const Gguf& file) {
  std::map<std::string, TypeShare> types;
  for (const TensorView& tensor : file.tensors()) types[std::string(name(tensor.dtype))].add(tensor.shape);
  for (const UnsupportedTensor& tensor : file.unsupported())
    types[std::string(ggml_type_name(tensor.type))].add(tensor.shape);
  return types;
}

/// Types with the largest share first.
void put_types(const Gguf& file, Json& out) {
  const std::map<std::string, TypeShare> types = count_types(file);
  double all = 0;
  for (const auto& [type, share] : types) all += static_cast<double>(share.elements);
  std::vector<std::pair<std::string, TypeShare>> sorted(types.begin(), types.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.elements > b.second.elements; });
  out["parameters"] = static_cast<std::uint64_t>(all);
  Json& list = out["types"] = Json::array();
  for (const auto& [type, share] : sorted) {
    Json& fields = list.emplace_back(Json::object());
    reserve_keys(fields, 3);
    fields["type"] = type;
    fields["tensors"] = share.tensors;
    fields["share"] = static_cast<double>(share.elements) / all;
  }
}

void put_template(const Gguf& file, Json& out) {
  Json& fields = out["chat_template"];
  const auto source = file.get_string("tokenizer.chat_template");
  if (!source) return;
  fields = Json::object();
  reserve_keys(fields, 2);
  fields["kind"] = template_kind(*source);
  fields["tools"] = source->find("tools") != std::string_view::npos;
}

/// The memory of texts of some usual lengths, and of the whole context.
void put_memory(const Gguf& file, const Transformer& shapes, Json& list) {
  constexpr std::array kUsual = {2048, 8192, 32768, 131072};
  std::vector<std::uint64_t> contexts(kUsual.begin(), kUsual.end());
  const std::uint64_t most = shapes.config().context_length;
  std::erase_if(contexts, [&](std::uint64_t context) { return context >= most; });
  contexts.push_back(most);
  for (const std::uint64_t context : contexts) {
    Json& fields = list.emplace_back(Json::object());
    reserve_keys(fields, 3);
    fields["context"] = context;
    fields["weights_bytes"] = weight_bytes(file);
    fields["cache_bytes"] = cache_bytes(shapes.states(), shapes.kv_type(), context);
  }
}

/// What kind of adapter the file is; null: none that can be read.
void put_adapter(const Gguf& file, std::string_view family, Json& fields) {
  const auto adapter =
      is_adapter(file) ? read_gguf_adapter(file, family) : Result<AdapterTensors>(AdapterTensors());
  fields = nullptr;
  if (!adapter || adapter->pairs.empty()) return;
  fields = Json::object();
  reserve_keys(fields, 2);
  fields["matrices"] = adapter->pairs.size();
  std::size_t rank = 0;
  for (const AdapterPair& pair : adapter->pairs) rank = std::max(rank, pair.rank);
  fields["rank"] = rank;
}

}  // namespace

void put_summary(const Gguf& file, Json& out) {
  reserve_keys(out, 10);
  const auto family = file.get_string("general.architecture");
  LoadOptions options;
  options.shapes_only = true;
  const auto shapes = Transformer::load(file, options);
  if (!shapes && shapes.error().code == ErrorCode::kOutOfMemory) throw std::bad_alloc();
  out["family"] = nullptr;
  if (family) out["family"] = *family;
  out["supported"] = shapes.ok();
  put_types(file, out);
  const auto context = file.get_uint(sentence(family ? *family : "", ".context_length"));
  const auto tokens = file.get_array("tokenizer.ggml.tokens");
  out["context_length"] = nullptr;
  if (context) out["context_length"] = *context;
  out["vocabulary"] = nullptr;
  if (tokens) out["vocabulary"] = (*tokens)->size();
  put_template(file, out);
  put_adapter(file, family ? *family : "", out["adapter"]);
  Json& memory = out["memory"] = Json::array();
  if (shapes) put_memory(file, **shapes, memory);
}

}  // namespace partita::internal
