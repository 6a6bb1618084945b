#include "tools/batch/openai_row.h"

#include <filesystem>
#include <new>

#include "tools/batch/hash128.h"

namespace tools {
namespace {

using partita::Error;
using partita::ErrorCode;
using partita::Finish;
using partita::Result;

/// Keys that would change the answer with any other value than this.
const std::pair<const char*, Json> kFixed[] = {{"best_of", 1},
                                               {"echo", false},
                                               {"suffix", ""},
                                               {"stream", false},
                                               {"functions", Json::array()},
                                               {"modalities", {"text"}},
                                               {"response_format", {{"type", "text"}}}};

/// Keys that do not affect the answer.
constexpr const char* kIgnored[] = {"model",        "user",           "metadata",           "store",
                                    "service_tier", "stream_options", "parallel_tool_calls"};

Error refused(const std::string& key, const Json& value, const std::string& wanted) {
  return {ErrorCode::kInvalidArgument,
          "\"" + key + "\" is " + json_text(value).substr(0, 60) + "; it must be " + wanted};
}

/// A call's arguments as an object: a template writes them in its own form.
void read_arguments(Json& message) {
  if (!message.contains("tool_calls") || !message["tool_calls"].is_array()) return;
  for (Json& call : message["tool_calls"]) {
    if (!call.is_object() || !call.contains("function") || !call["function"].is_object()) continue;
    Json& function = call["function"];
    if (!function.contains("arguments") || !function["arguments"].is_string()) continue;
    Json arguments = parse_ordered_json(function["arguments"].get<std::string>());
    if (arguments.is_object()) function["arguments"] = std::move(arguments);
  }
}

/// "tools" go to the template. A template cannot force a call, so "tool_choice" is "auto" or "none".
Result<void> convert_tools(Json& plain) {
  const Json choice = plain.value("tool_choice", Json("auto"));
  if (choice != "auto" && choice != "none") return refused("tool_choice", choice, "\"auto\" or \"none\"");
  if (choice == "none") plain.erase("tools");
  plain.erase("tool_choice");
  return {};
}

Result<void> convert_chat(Json& plain) {
  if (!plain.contains("messages"))
    return Error{ErrorCode::kInvalidArgument, "a body for chat completions has \"messages\""};
  for (Json& message : plain["messages"]) {
    if (!message.is_object()) continue;  // read_plain() refuses it
    if (message.contains("role") && message["role"] == "developer") message["role"] = "system";
    read_arguments(message);
  }
  const Json wanted = plain.value("logprobs", Json(false)), top = plain.value("top_logprobs", Json(0));
  plain.erase("logprobs");
  plain.erase("top_logprobs");
  if (!wanted.is_boolean()) return refused("logprobs", wanted, "true or false");
  if (wanted == false && top != 0) return refused("top_logprobs", top, "0 without \"logprobs\": true");
  if (wanted == true) plain["logprobs"] = top;
  return {};
}

Result<void> convert_completion(Json& plain) {
  if (!plain.contains("prompt"))
    return Error{ErrorCode::kInvalidArgument, "a body for completions has a \"prompt\""};
  plain["chat"] = false;
  Json& prompt = plain["prompt"];
  if (prompt.is_array() && prompt.size() == 1 && !prompt[0].is_number()) {
    Json only = prompt[0];
    prompt = std::move(only);
  }
  if (!prompt.is_array()) return {};
  if (prompt.empty() || !prompt[0].is_number()) return refused("prompt", prompt, "one text or array of ids");
  plain["ids"] = prompt;
  plain.erase("prompt");
  return {};
}

/// A response or request id, derived from the row's id.
std::string derived_id(const char* kind, const RowId& id) {
  const std::string line = id.duplicate ? " " + std::to_string(id.line) : "";
  return kind + hex(hash128(json_text(id.id) + line));
}

Json custom_id(const RowId& id) { return id.id.is_string() ? id.id : Json(nullptr); }

Json line_of(const RowId& id, int status, Json body, Json error) {
  Json line = {{"id", derived_id("batch_req_", id)},
               {"custom_id", custom_id(id)},
               {"response",
                {{"status_code", status}, {"request_id", derived_id("req_", id)}, {"body", std::move(body)}}},
               {"error", std::move(error)}};
  if (id.duplicate) line["line"] = id.line;
  return line;
}

std::string finish_reason(Finish finish) {
  return finish == Finish::kEos ? "stop" : std::string(name(finish));
}

/// A token's bytes; the name of a control token, which has no bytes.
std::string spelled(const partita::Model& model, const Json& id) {
  const auto token = id.get<partita::TokenId>();
  const auto text = model.text(token);
  if (!text) throw std::bad_alloc();
  return std::string(text->empty() ? model.piece(token) : *text);
}

Json token_json(const partita::Model& model, const Json& id, const Json& logprob) {
  const std::string text = spelled(model, id);
  Json bytes = Json::array();
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  return {{"token", text}, {"logprob", logprob}, {"bytes", std::move(bytes)}};
}

/// {"content":[{"token","logprob","bytes","top_logprobs":[{"token","logprob","bytes"}]}],"refusal":null}
Json chat_logprobs(const partita::Model& model, const Json& tokens) {
  Json content = Json::array();
  for (const Json& token : tokens) {
    Json one = token_json(model, token["id"], token["logprob"]);
    one["top_logprobs"] = Json::array();
    for (const Json& other : token["top"])
      one["top_logprobs"].push_back(token_json(model, other[0], other[1]));
    content.push_back(std::move(one));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

/// {"tokens":[],"token_logprobs":[],"top_logprobs":[{"token":logprob}],"text_offset":[]}
Json completion_logprobs(const partita::Model& model, const Json& tokens) {
  Json out = {{"tokens", Json::array()},
              {"token_logprobs", Json::array()},
              {"top_logprobs", Json::array()},
              {"text_offset", Json::array()}};
  std::size_t characters = 0;
  for (const Json& token : tokens) {
    const std::string text = spelled(model, token["id"]);
    out["tokens"].push_back(text);
    out["token_logprobs"].push_back(token["logprob"]);
    Json top = Json::object();
    for (const Json& other : token["top"]) top[spelled(model, other[0])] = other[1];
    out["top_logprobs"].push_back(std::move(top));
    out["text_offset"].push_back(characters);
    // Characters, of which one begins at every byte that continues none.
    for (const char c : text) characters += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  }
  return out;
}

}  // namespace

bool is_openai_row(const Json& row) {
  if (row.contains("body")) return true;
  return row.contains("custom_id") && !row.contains("prompt") && !row.contains("messages") &&
         !row.contains("ids");
}

Result<Json> plain_row_of(const Json& row) {
  const Json url = row.value("url", Json(nullptr)), method = row.value("method", Json("POST"));
  const bool chat = url == "/v1/chat/completions";
  if (method != "POST") return refused("method", method, "\"POST\"");
  if (!chat && url != "/v1/completions") {
    return refused("url", url, "\"/v1/chat/completions\" or \"/v1/completions\"");
  }
  if (!row.contains("body") || !row["body"].is_object()) {
    return refused("body", row.value("body", Json(nullptr)), "an object");
  }
  Json plain = Json::object();
  for (const auto& [key, value] : row["body"].items()) {
    if (!value.is_null()) plain[key] = value;
  }
  if (plain.contains("n") && plain["n"] != 1) return refused("n", plain["n"], "1: a line gets one choice");
  plain.erase("n");  // in a plain row it is another thing
  for (const auto& [key, only] : kFixed) {
    if (plain.contains(key) && plain[key] != only) return refused(key, plain[key], json_text(only));
    plain.erase(key);
  }
  for (const char* key : kIgnored) plain.erase(key);
  // There a seed may be negative; here it is the number with the same 64 bits.
  if (plain.contains("seed") && plain["seed"].is_number_integer())
    plain["seed"] = plain["seed"].get<std::uint64_t>();
  if (plain.contains("max_completion_tokens")) {
    plain["max_tokens"] = plain["max_completion_tokens"];
    plain.erase("max_completion_tokens");
  }
  if (auto converted = convert_tools(plain); !converted) return converted.error();
  auto settled = chat ? convert_chat(plain) : convert_completion(plain);
  if (!settled) return settled.error();
  return plain;
}

Json openai_answer(const RowId& id, const RowAnswer& answer, const partita::Model& model) {
  const bool chat = id.form == RowForm::kChat;
  Json choice = {{"index", 0}};
  if (chat) {
    choice["message"] = {{"role", "assistant"}, {"content", answer.text}, {"refusal", nullptr}};
  } else {
    choice["text"] = answer.text;
  }
  choice["logprobs"] = nullptr;
  if (answer.logprobs.is_array()) {
    choice["logprobs"] =
        chat ? chat_logprobs(model, answer.logprobs) : completion_logprobs(model, answer.logprobs);
  }
  if (answer.confidence.is_array()) choice["confidence"] = answer.confidence;
  choice["finish_reason"] = finish_reason(answer.finish);
  Json body = {{"id", derived_id(chat ? "chatcmpl-" : "cmpl-", id)},
               {"object", chat ? "chat.completion" : "text_completion"},
               {"created", 0},
               {"model", std::filesystem::path(model.info().path).stem().string()},
               {"choices", Json::array({std::move(choice)})},
               {"usage",
                {{"prompt_tokens", answer.prompt_tokens},
                 {"completion_tokens", answer.ids.size()},
                 {"total_tokens", answer.prompt_tokens + answer.ids.size()}}}};
  if (!answer.applied.is_null()) body["applied"] = answer.applied;
  return line_of(id, 200, std::move(body), nullptr);
}

Json openai_error(const RowId& id, const Error& error) {
  const bool refused = error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kUnsupported;
  const char* code = refused ? "invalid_request" : "server_error";
  Json body = {{"error",
                {{"message", error.message},
                 {"type", refused ? "invalid_request_error" : "server_error"},
                 {"param", nullptr},
                 {"code", code}}}};
  return line_of(id, refused ? 400 : 500, std::move(body), {{"code", code}, {"message", error.message}});
}

}  // namespace tools
