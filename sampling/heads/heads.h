// The factories of all LM heads.
#pragma once

#include <cstddef>
#include <memory>

#include "engine/kernels/kernels.h"
#include "engine/kernels/panels.h"
#include "engine/output.h"
#include "sampling/heads/head.h"
#include "sampling/heads/products.h"
#include "sampling/heads/screen.h"

namespace partita::internal {

/// The plain LM head: one linear layer, every logit (row_head.h). What `linear` views must outlive it.
std::unique_ptr<OutputHead> make_dense_head(const LinearView& linear, const Kernels& kernels);

/// The head of an adaptive or class-based softmax: reads only the clusters that a question needs. Its logits
/// are log-probabilities. Greedy, top-k, min-p and scores are bit for bit those of the full row; a draw from
/// the full softmax has its own procedure (adaptive_draw.h), whatever else is requested. `weights`, of kind
/// kAdaptive, must outlive it.
std::unique_ptr<OutputHead> make_adaptive_head(const OutputWeights& weights, const Kernels& kernels);

/// The head of a hierarchical softmax, a binary tree: finds the likeliest words from the root; a draw at
/// temperature 1 and a score each follow one path; all else uses full rows of log-probabilities. `weights`,
/// of kind kTree, must outlive it.
std::unique_ptr<OutputHead> make_tree_head(const OutputWeights& weights, const Kernels& kernels);

/// The head of a mixture of softmaxes: full rows of log-probabilities, all contexts in one pass over the
/// words; a draw at temperature 1 is a draw from the softmax of one context. `weights`, of kind kMixture,
/// must outlive it.
std::unique_ptr<OutputHead> make_mixture_head(const OutputWeights& weights, const Kernels& kernels);

/// The head for the kind of `weights`, which must outlive it.
std::unique_ptr<OutputHead> make_head(const OutputWeights& weights, const Kernels& kernels);

/// The screened head (screen.h): its answers are bit for bit those of the plain head. For a question that
/// needs few logits (Chain::logits_needed: the largest, those near it, a draw from the full row or, usually,
/// from its nucleus) it computes only the logits that the screen does not rule out, with the kernels of the
/// plain head; the plain head answers all others. Matrix and screen must outlive it. certificate: the
/// guarantee of the screen's bounds. Not for exact_kernels().
std::unique_ptr<OutputHead> make_screened_head(const LinearView& matrix, const Screen& screen,
                                               Certificate certificate, const Kernels& kernels);

/// The budgeted head, an approximation: computes `words` logits of every row, those with the largest
/// estimates of the screen, rounded up to whole panels, and takes the screen's estimates of all others. It
/// answers any question from such a row, and no answer is guaranteed. Matrix and screen must outlive it. Not
/// for exact_kernels().
std::unique_ptr<OutputHead> make_budgeted_head(const PackedMatrix& matrix, const Screen& screen,
                                               std::size_t words, const Kernels& kernels);

}  // namespace partita::internal
