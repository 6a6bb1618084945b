// Opens a model, asks a question, and streams the answer: example MODEL.gguf [QUESTION]
#include <iostream>
#include <partita/partita.hpp>

int complain(const partita::Error& error) {
  std::cerr << error.message << '\n';
  return 1;
}

int main(int argc, char** argv) {
  auto model = partita::Model::open(argc > 1 ? argv[1] : "models/SmolLM2-135M-Instruct.Q4_1.gguf");
  if (!model) return complain(model.error());
  auto session = model->session();
  if (!session) return complain(session.error());

  partita::Request request;
  request.messages = {{"user", argc > 2 ? argv[2] : "What is the capital of France?"}};
  request.max_tokens = 60;
  request.sampling.temperature = 0;
  auto stream = session->generate(request);
  if (!stream) return complain(stream.error());

  while (true) {
    auto token = stream->next();
    if (!token) return complain(token.error());
    if (!*token) break;
    std::cout << (*token)->text << std::flush;
  }
  std::cout << "\n(" << stream->ids().size() << " tokens, ended by " << name(stream->finish()) << ")\n";
}
