// Measures how far a changed model is from the model itself. Internal to api/.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "partita/model.hpp"
#include "partita/session.hpp"
#include "weights/gguf/gguf.h"

namespace partita::internal {

class Trial {
 public:
  /// Opens the model at `path`. Of the text kTokens are read at most, evenly spaced. Errors: those of
  /// Model::open() and text_chunks().
  static Result<Trial> open(const std::string& path, std::string_view text, int threads);

  /// The mean KL divergence of the changed model from the model over the tokens of the text, in nats. Errors:
  /// those of Model::open() and Session::score_against().
  Result<double> divergence(Gguf changed);

  std::size_t tokens() const { return chunks_.size() * chunks_.front().size(); }

 private:
  Trial(Session session, std::vector<std::vector<TokenId>> chunks, int threads)
      : model_(std::move(session)), chunks_(std::move(chunks)), threads_(threads) {}

  Session model_;
  std::vector<std::vector<TokenId>> chunks_;
  int threads_;
};

}  // namespace partita::internal
