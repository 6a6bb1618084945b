#include "weights/gguf/refuse.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "weights/gguf/limits.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBeginning = 64;  // bytes that are compared
constexpr std::string_view kHex = "0123456789abcdef";

/// Magic bytes of files that users pass by mistake.
struct Signature {
  std::string_view begins;
  std::string_view what;
  std::string_view advice;
};

constexpr std::string_view kReconvert =
    "convert the original model again with a current convert_hf_to_gguf.py, or download a newer GGUF file";

constexpr std::string_view kPickle =
    "nothing in it is run; convert the model with convert_hf_to_gguf.py, or download a GGUF file of it";

constexpr Signature kSignatures[] = {
    {"version https://git-lfs", "is a Git LFS pointer, a few lines of text that stand for the model",
     "run 'git lfs pull' where it was cloned, or download the file itself"},
    {"lmgg", "is in the old GGML format of 2023", kReconvert},
    {"fmgg", "is in the old GGMF format of 2023", kReconvert},
    {"tjgg", "is in the old GGJT format of 2023", kReconvert},
    {"algg", "is a GGLA adapter file of 2023, not a model", "give the path of a model in a .gguf file"},
    {"PK\x03\x04", "is a ZIP archive (a PyTorch checkpoint or a package)",
     "unpack it, or convert the model with convert_hf_to_gguf.py"},
    {"\x80\x02", "is a Python pickle (an old PyTorch checkpoint)", kPickle},
    {"\x80\x03", "is a Python pickle (an old PyTorch checkpoint)", kPickle},
    {"\x80\x04", "is a Python pickle (an old PyTorch checkpoint)", kPickle},
    {"\x80\x05", "is a Python pickle (an old PyTorch checkpoint)", kPickle},
    {"PARTITAS", "is the saved KV cache of a chat, not a model",
     "give the model of the chat, and the chat with --session to partita chat"},
    {"PARTITAH", "is a screen of a model's output matrix, not a model",
     "give the model in the same directory; Partita finds its screen automatically"},
    {"{\"partita_chat\"", "is a chat, not a model",
     "give the model of the chat, and the chat with --session to partita chat"},
    {"{", "is JSON text, such as a checkpoint's config.json",
     "give the path of a .gguf file; partita convert makes one from a checkpoint's directory"},
    {"<!DOCTYPE", "is a web page", "the download went wrong: fetch the file itself, not its page"},
    {"<!doctype", "is a web page", "the download went wrong: fetch the file itself, not its page"},
    {"<html", "is a web page", "the download went wrong: fetch the file itself, not its page"},
};

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// An 8-byte header length that fits in the file, then JSON.
bool looks_like_safetensors(std::span<const std::byte> file) {
  if (file.size() < 10 || file[8] != std::byte{'{'}) return false;
  std::uint64_t header = 0;
  std::memcpy(&header, file.data(), sizeof header);
  return header <= file.size() - 8;
}

bool is_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 0x20 && c < 0x7f) || (c >= '\t' && c <= '\r'); });
}

std::string hex_bytes(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (!out.empty()) out += ' ';
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

Error explain_version(std::uint32_t version, const std::string& file_name) {
  const std::string found = sentence("'", file_name, "' ");
  if (version == 1) {
    return {ErrorCode::kUnsupported,
            sentence(found, "is GGUF version 1, and only versions 2 and 3 can be read; ", kReconvert)};
  }
  if ((version & 0xffff) == 0 && version != 0) {
    return {ErrorCode::kUnsupported,
            sentence(found,
                     "is a big-endian GGUF file, and only little-endian ones can be read; "
                     "convert it with gguf_convert_endian.py, or download the little-endian file")};
  }
  return {ErrorCode::kUnsupported,
          sentence(found, "says that it is GGUF version ", version,
                   ", and only versions 2 and 3 can be read; download it again if it is "
                   "damaged, or use a newer Partita if there is such a version")};
}

std::string supported_types() {
  std::string list;
  for (std::uint32_t number = 0; number < kGgmlTypes; ++number) {
    const auto dtype = dtype_from_gguf(number);
    if (!dtype) continue;
    if (!list.empty()) list += ", ";
    list += name(*dtype);
  }
  return list;
}

}  // namespace

Error explain_not_gguf(std::span<const std::byte> file, const std::string& file_name) {
  const std::string found = sentence("'", file_name, "' ");
  const std::string_view text = as_text(file.first(std::min<std::size_t>(file.size(), kBeginning)));
  const bool is_gguf = text.starts_with("GGUF");
  if (std::string_view("GGUF").starts_with(text) || (is_gguf && file.size() < kGgufHeaderBytes)) {
    return {ErrorCode::kBadFile,
            sentence(found, "is cut short: it has ", file.size(),
                     " bytes, and the header of a GGUF file has ", kGgufHeaderBytes, "; download it again")};
  }
  if (is_gguf) {
    std::uint32_t version = 0;
    std::memcpy(&version, file.data() + 4, sizeof version);
    return explain_version(version, file_name);
  }
  for (const Signature& signature : kSignatures) {
    if (!text.starts_with(signature.begins)) continue;
    return {ErrorCode::kBadFile, sentence(found, signature.what, "; ", signature.advice)};
  }
  if (looks_like_safetensors(file)) {
    return {ErrorCode::kBadFile, sentence(found,
                                          "is a safetensors file; convert the model's directory with "
                                          "partita convert, or download a GGUF file of the model")};
  }
  const std::string begin = is_text(text) ? sentence("the text ", quoted(text.substr(0, 24)))
                                          : sentence("the bytes ", hex_bytes(text.substr(0, 8)));
  return {ErrorCode::kBadFile, sentence(found, "is not a GGUF file: it begins with ", begin,
                                        " instead of 'GGUF'; give the path of a .gguf file")};
}

Error explain_tensor_types(std::span<const UnsupportedTensor> tensors, const std::string& file_name) {
  constexpr std::size_t kNamed = 8;
  std::vector<std::uint32_t> types;
  for (const UnsupportedTensor& tensor : tensors) {
    const bool is_new = std::find(types.begin(), types.end(), tensor.type) == types.end();
    if (is_new && types.size() < kNamed) types.push_back(tensor.type);
  }
  std::string list;
  for (const std::uint32_t type : types) list += (list.empty() ? "" : ", ") + ggml_type_name(type);
  const std::size_t others = tensors.size() - 1;
  const std::string which = others == 0   ? " has"
                            : others == 1 ? " and another have"
                                          : sentence(" and ", others, " others have");
  return {ErrorCode::kUnsupported, sentence("'", file_name, "': tensor ", quoted(tensors.front().name), which,
                                            types.size() > 1 ? " the element types " : " the element type ",
                                            list, ", and the supported types are ", supported_types(),
                                            "; download the model in one of these")};
}

}  // namespace partita::internal
