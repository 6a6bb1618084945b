// Splitters of long numbers into groups of three digits, counted from the right. They are written by hand:
// the expressions that define them look ahead to the end of a number at each group, which is quadratic.
#pragma once

#include <string_view>
#include <vector>

namespace partita::internal {

/// Cuts each run of \p{N} into groups of three digits from the right, the first one of what is left over
/// (AFMoE).
void split_grouped_numbers(std::string_view text, std::vector<std::string_view>& words);

/// \d{1,3}(?=(?:\d{3})*\b): the same for runs of \d that no letter, mark, number or underscore follows
/// (Tiny Aya).
void split_grouped_decimals(std::string_view text, std::vector<std::string_view>& words);

/// (?=(\d{3})+(?!\d)): cuts before each group, so that what stands before a run stays with its first digits
/// unless they are three (SuperBPE).
void split_before_groups(std::string_view text, std::vector<std::string_view>& words);

/// Numbers of Falcon, whose tokenizer looks for them when bytes are written as letters already: runs of
/// digits and of the bytes that are written as U+00B2, B3, B9, BC, BD and BE, in the middle of characters
/// too; then each three digits. The words need not be valid UTF-8.
void split_byte_numbers(std::string_view text, std::vector<std::string_view>& words);

}  // namespace partita::internal
