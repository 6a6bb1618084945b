// Partita: text generation with language models on CPUs. The public C++ interface.
//
//   partita::Result<void> tell() {
//     auto model = partita::Model::open("SmolLM2-135M-Instruct.Q4_1.gguf");
//     if (!model) return model.error();
//     auto session = model->session();
//     if (!session) return session.error();
//     auto stream = session->generate({.prompt = "Once upon a time", .max_tokens = 40});
//     if (!stream) return stream.error();
//     while (true) {
//       auto token = stream->next();
//       if (!token) return token.error();
//       if (!*token) return {};
//       std::cout << (*token)->text;
//     }
//   }
//
// This header includes those of all subjects but softmax.hpp (the softmax family without a model) and
// json.hpp (JSON limits). Errors are values (result.hpp), each one sentence for people. No exception crosses
// this interface. The library neither prints nor exits.
#pragma once

#include "partita/adapter.hpp"
#include "partita/batch.hpp"
#include "partita/bench.hpp"
#include "partita/cancel.hpp"
#include "partita/constraint.hpp"
#include "partita/convert.hpp"
#include "partita/diagnose.hpp"
#include "partita/ensemble.hpp"
#include "partita/explain.hpp"
#include "partita/export.hpp"
#include "partita/imatrix.hpp"
#include "partita/model.hpp"
#include "partita/prepare.hpp"
#include "partita/quantize.hpp"
#include "partita/request.hpp"
#include "partita/result.hpp"
#include "partita/samplers.hpp"
#include "partita/sampling.hpp"
#include "partita/score.hpp"
#include "partita/search.hpp"
#include "partita/session.hpp"
#include "partita/text.hpp"
#include "partita/token.hpp"
