// Constrained decoding: an answer without forbidden words. forbid_words MODEL.gguf QUESTION WORD...
//
// Before every token the engine asks a constraint which ids are allowed, and tells it the chosen one. This
// one forbids words in any case, also across several tokens. A grammar would keep its parser's state in the
// same class.
#include <algorithm>
#include <cctype>
#include <iostream>
#include <memory>
#include <new>
#include <partita/partita.hpp>

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

class ForbiddenWords : public partita::Constraint {
 public:
  ForbiddenWords(const partita::Model& model, const std::vector<std::string>& words)
      : tokens_(std::make_shared<std::vector<std::string>>()) {
    for (std::size_t id = 0; id < model.info().vocab_size; ++id) {
      const auto text = model.text(static_cast<partita::TokenId>(id));
      if (!text) throw std::bad_alloc();
      tokens_->push_back(lower(*text));
    }
    for (const std::string& word : words) words_.push_back(lower(word));
  }

  void allow(std::span<std::uint64_t> allowed) const override {
    for (std::size_t id = 0; id < tokens_->size(); ++id) {
      if (completes_word((*tokens_)[id])) allowed[id / 64] &= ~(std::uint64_t{1} << (id % 64));
    }
  }

  void accept(partita::TokenId id) override {
    lengths_.push_back(text_.size());
    text_ += tokens_->at(static_cast<std::size_t>(id));
  }

  void roll_back(std::size_t tokens) override {
    for (; tokens > 0; --tokens) {
      text_.resize(lengths_.back());
      lengths_.pop_back();
    }
  }

  std::unique_ptr<partita::Constraint> fork() const override {
    return std::make_unique<ForbiddenWords>(*this);
  }

 private:
  /// Whether the text so far and `token` complete a forbidden word.
  bool completes_word(const std::string& token) const {
    return std::any_of(words_.begin(), words_.end(), [&](const std::string& word) {
      const std::size_t before = std::min(text_.size(), word.size() - 1);
      return (text_.substr(text_.size() - before) + token).find(word) != std::string::npos;
    });
  }

  std::shared_ptr<std::vector<std::string>> tokens_;  // by id, in lower case; shared by all forks
  std::vector<std::string> words_;
  std::string text_;                  // of the answer so far
  std::vector<std::size_t> lengths_;  // of text_, before each of its tokens
};

int complain(const partita::Error& error) {
  std::cerr << error.message << '\n';
  return 1;
}

int main(int argc, char** argv) {
  if (argc < 4 || std::count(argv + 3, argv + argc, std::string()) > 0) {
    std::cerr << "usage: forbid_words MODEL.gguf QUESTION WORD...\n";
    return 2;
  }
  auto model = partita::Model::open(argv[1]);
  if (!model) return complain(model.error());
  auto session = model->session();
  if (!session) return complain(session.error());

  partita::Request request;
  request.messages = {{"user", argv[2]}};
  request.max_tokens = 60;
  request.sampling.temperature = 0;
  request.constraint =
      std::make_shared<ForbiddenWords>(*model, std::vector<std::string>(argv + 3, argv + argc));
  auto stream = session->generate(request);
  if (!stream) return complain(stream.error());

  while (true) {
    auto token = stream->next();
    if (!token) return complain(token.error());
    if (!*token) break;
    std::cout << (*token)->text << std::flush;
  }
  std::cout << '\n';
}
