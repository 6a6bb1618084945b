// What a model file says about itself, as JSON.
#include <nlohmann/json.hpp>

#include "api/guard.h"
#include "api/model_file.h"
#include "partita/partita.hpp"
#include "weights/gguf.h"

namespace partita {
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
Json array_json(const GgufArray& array, std::size_t limit) {
  Json values = Json::array();
  for (std::size_t i = 0; i < std::min(array.size(), limit); ++i) values.push_back(element(array, i));
  if (array.size() <= limit) return values;
  return {{"type", name(array.type())}, {"length", array.size()}, {"first", std::move(values)}};
}

Json value_json(const GgufValue& value, std::size_t limit) {
  if (const auto* array = std::get_if<GgufArray>(&value)) return array_json(*array, limit);
  if (const auto* text = std::get_if<std::string_view>(&value)) return std::string(*text);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return *number;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  return std::get<double>(value);
}

}  // namespace

Result<std::string> inspect_json(const std::string& path, std::size_t array_limit) {
  return guarded([&]() -> Result<std::string> {
    auto file = open_model_file(path);
    if (!file) return file.error();
    Json out = {{"path", path}, {"version", file->version()}, {"bytes", file->file_bytes()}};
    out["metadata"] = Json::object();
    for (const Gguf::Entry& entry : file->metadata()) {
      out["metadata"][std::string(entry.key)] = value_json(entry.value, array_limit);
    }
    out["tensors"] = Json::array();
    for (const TensorView& tensor : file->tensors()) {
      out["tensors"].push_back(
          {{"name", tensor.name},
           {"type", name(tensor.dtype)},
           {"shape", std::vector<std::uint64_t>(tensor.shape.begin(), tensor.shape.end())},
           {"bytes", tensor.bytes.size()}});
    }
    return out.dump(2, ' ', false, Json::error_handler_t::replace);
  });
}

}  // namespace partita
