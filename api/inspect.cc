// inspect_json(): summary, metadata and tensors of a model file as JSON.
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "api/convert/json_file.h"
#include "api/model_file.h"
#include "api/summary.h"
#include "partita/partita.hpp"
#include "weights/catch_all.h"
#include "weights/gguf/gguf.h"
#include "weights/json/document.h"

namespace partita {
using namespace internal;
namespace {

using Json = nlohmann::ordered_json;

Json element(const GgufArray& array, std::size_t i) {
  if (const auto text = array.string_at(i)) return std::string(*text);
  if (const auto flag = array.bool_at(i)) return *flag;
  if (const auto number = array.uint_at(i)) return *number;
  if (const auto number = array.int_at(i)) return *number;
  if (const auto number = array.float_at(i)) return *number;
  return nullptr;
}

/// A short array is a JSON array; a long one {"type","length","first":[...]}.
void put_array(const GgufArray& array, std::size_t limit, Json& out) {
  const bool is_short = array.size() <= limit;
  if (!is_short) {
    out = Json::object();
    reserve_keys(out, 3);
    out["type"] = name(array.type());
    out["length"] = array.size();
  }
  Json& values = is_short ? out : out["first"];
  values = Json::array();
  for (std::size_t i = 0; i < std::min(array.size(), limit); ++i) values.push_back(element(array, i));
}

/// Of a value that is no array.
Json value_json(const GgufValue& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) return std::string(*text);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return *number;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  return std::get<double>(value);
}

/// bytes: none where the element type is not known.
void put_tensor(std::string_view name, std::string_view type, const Shape& shape,
                std::optional<std::size_t> bytes, Json& list) {
  Json& fields = list.emplace_back(Json::object());
  reserve_keys(fields, 4);
  fields["name"] = name;
  fields["type"] = type;
  Json& sizes = fields["shape"] = Json::array();
  for (const std::uint64_t size : shape) sizes.push_back(size);
  if (bytes) {
    fields["bytes"] = *bytes;
  } else {
    fields["bytes"] = nullptr;
  }
}

/// All tensors in file order.
void put_tensors(const Gguf& file, Json& list) {
  auto unsupported = file.unsupported().begin();
  for (std::size_t i = 0; i <= file.tensors().size(); ++i) {
    for (; unsupported != file.unsupported().end() && unsupported->tensors == i; ++unsupported)
      put_tensor(unsupported->name, ggml_type_name(unsupported->type), unsupported->shape, std::nullopt,
                 list);
    if (i == file.tensors().size()) break;
    const TensorView& tensor = file.tensors()[i];
    put_tensor(tensor.name, name(tensor.dtype), tensor.shape, tensor.bytes.size(), list);
  }
}

/// What generation_config.json in a directory recommends, by its own names; null: nothing.
void put_sampling(const std::string& directory, Json& out) {
  static constexpr std::array kKeys = {"do_sample", "temperature",       "top_k", "top_p", "min_p",
                                       "typical_p", "repetition_penalty"};
  out = nullptr;
  std::error_code none;
  const auto config = std::filesystem::is_directory(directory, none)
                          ? read_json_file(directory + "/generation_config.json")
                          : Result<JsonDocument>(Error());
  if (!config) return;
  for (const char* key : kKeys) {
    const nlohmann::json* value = config->is_object() ? member(*config, key) : nullptr;
    if (value == nullptr || !(value->is_number() || value->is_boolean())) continue;
    if (out.is_null()) reserve_keys(out = Json::object(), kKeys.size());
    out[key] = value->is_boolean() ? Json(value->get<bool>()) : Json(*value);
  }
}

}  // namespace

Result<std::string> inspect_json(const std::string& path, std::size_t array_limit,
                                 const std::string& vocabulary) {
  return catch_all([&]() -> Result<std::string> {
    auto file = open_model_file(path, vocabulary);
    if (!file) return file.error();
    OrderedJsonDocument out{Json::object()};
    reserve_keys(out, 6);
    out["path"] = path;
    out["version"] = file->version();
    out["bytes"] = file->file_bytes();
    put_summary(*file, out["summary"] = Json::object());
    put_sampling(path, out["summary"]["sampling"]);
    Json& metadata = out["metadata"] = Json::object();
    reserve_keys(metadata, file->metadata().size());
    for (const GgufEntry& entry : file->metadata()) {
      Json& value = metadata[std::string(entry.key)];
      if (const auto* array = std::get_if<GgufArray>(&entry.value)) {
        put_array(*array, array_limit, value);
      } else {
        value = value_json(entry.value);
      }
    }
    put_tensors(*file, out["tensors"] = Json::array());
    return out.dump(2, ' ', false, Json::error_handler_t::replace);
  });
}

}  // namespace partita
