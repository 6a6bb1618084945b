// Made by tests/oracles/make_unicode_table.py: classes of characters. Not to be edited.
#include "tokenizer/pre/unicode.h"

// clang-format off
namespace partita::internal {

const char kClassBlocks[] =
    "aaaaaaaaamummuaaaaaaaaaaaaaaaaaavkkklkkkkkklkkkkhhhhhhhhhhkklllkkbbbbbbbbbbbbbbbbbbbbbbbbbbkkklklccccccccccccccccccccccccccklkla"
    "aaaaamaaaaaaaaaaaaaaaaaaaaaaaaaamklllllkllfklalllliilckklifkiiikbbbbbbbbbbbbbbbbbbbbbbblbbbbbbbcccccccccccccccccccccccclcccccccc"
    "bcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbccbcbcbcbcbcbcbcbccbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbbcbcbcc"
    "cbbcbcbbcbbbccbbbbcbbcbbbcccbbcbbcbcbcbbcbccbcbbcbbbcbcbbccfbcccffffbdcbdcbdcbcbcbcbcbcbcbcbccbcbcbcbcbcbcbcbcbccbdcbcbbbcbcbcbc"
    "bcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcccccccbbcbbccbcbbbbcbcbcbcbccccccccccccccccccccccccccccccccccccccccccccccccc"
    "ccccccccccccccccccccfccccccccccccccccccccccccccceeeeeeeeeeeeeeeeeelllleeeeeeeeeeeelllllllllllllleeeeelllllllelelllllllllllllllll"
    "ggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggbcbcelbcaaeccckb"
    "aaaallbkbbbababbcbbbbbbbbbbbbbbbbbabbbbbbbbbcccccccccccccccccccccccccccccccccccbccbbbcccbcbcbcbcbcbcbcbcbcbcbcbcccccbclbcbbccbbb"
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbccccccccccccccccccccccccccccccccccccccccccccccccbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbc"
    "bclgggggggbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbbcbcbcbcbcbcbccbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbc"
    "bcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbaaekkkkkkcccccccccccccccccccccccccccccccc"
    "ccccccccckkaalllagggggggggggggggggggggggggggggggggggggggggggggkgkggkggkgaaaaaaaafffffffffffffffffffffffffffaaaaffffkkaaaaaaaaaaa"
    "aaaaaalllkklkkllgggggggggggkakkkffffffffffffffffffffffffffffffffeffffffffffggggggggggggggggggggghhhhhhhhhhkkkkffgfffffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffkfgggggggalggggggeegglggggffhhhhhhhhhhfffllf"
    "kkkkkkkkkkkkkkaafgffffffffffffffffffffffffffffffgggggggggggggggggggggggggggaafffffffffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffgggggggggggfaaaaaaaaaaaaaahhhhhhhhhhfffffffffffffffffffffffffffffffffgggggggggeelkkkeaagll"
    "ffffffffffffffffffffffggggegggggggggegggegggggaakkkkkkkkkkkkkkkafffffffffffffffffffffffffgggaakafffffffffffaaaaaffffffffffffffff"
    "fffffffflffffffaaaaaaaagggggggggfffffffffffffffffffffffffffffffffffffffffeggggggggggggggggggggggggaggggggggggggggggggggggggggggg"
    "ggggffffffffffffffffffffffffffffffffffffffffffffffffffffffgggfggggggggggggggggggfgggggggffffffffffggkkhhhhhhhhhhkeffffffffffffff"
    "fgggaffffffffaaffaaffffffffffffffffffffffafffffffafaaaffffaagfgggggggaaggaagggfaaaaaaaagaaaaffafffggaahhhhhhhhhhfflliiiiiillfkga"
    "agggaffffffaaaaffaaffffffffffffffffffffffafffffffaffaffaffaagagggggaaaaggaagggaaagaaaaaaaffffafaaaaaaahhhhhhhhhhggfffgkaaaaaaaaa"
    "agggafffffffffafffaffffffffffffffffffffffafffffffaffafffffaagfggggggggagggagggaafaaaaaaaaaaaaaaaffggaahhhhhhhhhhklaaaaaaafgggggg"
    "agggaffffffffaaffaaffffffffffffffffffffffafffffffaffafffffaagfgggggggaaggaagggaaaaaaagggaaaaffafffggaahhhhhhhhhhlfiiiiiiaaaaaaaa"
    "aagfaffffffaaafffaffffaaaffafaffaaaffaaafffaaaffffffffffffaaaagggggaaagggaggggaafaaaaaagaaaaaaaaaaaaaahhhhhhhhhhiiillllllllaaaaa"
    "gggggffffffffafffafffffffffffffffffffffffaffffffffffffffffaagfgggggggagggaggggaaaaaaaggafffaafaaffggaahhhhhhhhhhaaaaaaakiiiiiiil"
    "fgggkffffffffafffafffffffffffffffffffffffaffffffffffafffffaagfgggggggagggaggggaaaaaaaggaaaaaaffaffggaahhhhhhhhhhaffgaaaaaaaaaaaa"
    "ggggfffffffffafffafffffffffffffffffffffffffffffffffffffffffggfgggggggagggaggggflaaaafffgiiiiiiifffggaahhhhhhhhhhiiiiiiiiilffffff"
    "agggaffffffffffffffffffaaaffffffffffffffffffffffffafffffffffafaafffffffaaagaaaaggggggagaggggggggaaaaaahhhhhhhhhhaaggkaaaaaaaaaaa"
    "affffffffffffffffffffffffffffffffffffffffffffffffgffgggggggaaaalffffffeggggggggkhhhhhhhhhhkkaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "affafafffffaffffffffffffffffffffffffafaffffffffffgffgggggggggfaafffffaeagggggggahhhhhhhhhhaaffffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "flllkkkkkkkkkkkkkkklklllggllllllhhhhhhhhhhiiiiiiiiiilglglgkkkkggffffffffaffffffffffffffffffffffffffffffffffffaaaaggggggggggggggg"
    "gggggkggfffffgggggggggggaggggggggggggggggggggggggggggggggggggallllllllgllllllallkkkkkllllkkaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "fffffffffffffffffffffffffffffffffffffffffffggggggggggggggggggggfhhhhhhhhhhkkkkkkffffffggggffffgggfgggffgggggggfffggggfffffffffff"
    "ffggggggggggggfghhhhhhhhhhggggllbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbabaaaaabaaccccccccccccccccccccccccccccccccccccccccccckeccc"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffaffffaafffffffafaffffaaffffffffffffffffffffffffffffffff"
    "fffffffffaffffaafffffffffffffffffffffffffffffffffaffffaafffffffafaffffaafffffffffffffffaffffffffffffffffffffffffffffffffffffffff"
    "fffffffffffffffffaffffaafffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffaagggkkkkkkkkkiiiiiiiiiiiiiiiiiiiiaaa"
    "ffffffffffffffffllllllllllaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbaaccccccaa"
    "kfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffflkfffffffffffffffff"
    "mffffffffffffffffffffffffffkkaaafffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffkkkiiiffffffffaaaaaaa"
    "ffffffffffffffffffggggaaaaaaaaafffffffffffffffffffgggkkaaaaaaaaaffffffffffffffffffggaaaaaaaaaaaafffffffffffffafffaggaaaaaaaaaaaa"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffggggggggggggggggggggggggggggggggkkkekkklfgaahhhhhhhhhhaaaaaaiiiiiiiiiiaaaaaa"
    "kkkkkkkkkkkgggaghhhhhhhhhhaaaaaafffffffffffffffffffffffffffffffffffefffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaaaa"
    "fffffggffffffffffffffffffffffffffffffffffgfaaaaaffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaaaaaaa"
    "fffffffffffffffffffffffffffffffaggggggggggggaaaaggggggggggggaaaalaaakkhhhhhhhhhhffffffffffffffffffffffffffffffaafffffaaaaaaaaaaa"
    "ffffffffffffffffffffffffffffffffffffffffffffaaaaffffffffffffffffffffffffffaaaaaahhhhhhhhhhiaaallllllllllllllllllllllllllllllllll"
    "fffffffffffffffffffffffgggggaakkfffffffffffffffffffffffffffffffffffffffffffffffffffffggggggggggagggggggggggggggggggggggggggggaag"
    "hhhhhhhhhhaaaaaahhhhhhhhhhaaaaaakkkkkkkekkkkkkaagggggggggggggggggggggggggggggggaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "gggggfffffffffffffffffffffffffffffffffffffffffffffffgggggggggggggggggffffffffakkhhhhhhhhhhkkkkkkkllllllllllggggggggglllllllllkkk"
    "gggffffffffffffffffffffffffffffffgggggggggggggffhhhhhhhhhhffffffffffffffffffffffffffffffffffffffffffffggggggggggggggaaaaaaaakkkk"
    "ffffffffffffffffffffffffffffffffffffggggggggggggggggggggaaakkkkkhhhhhhhhhhaaafffhhhhhhhhhhffffffffffffffffffffffffffffffeeeeeekk"
    "cccccccccbcaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbaabbbkkkkkkkkaaaaaaaagggkgggggggggggggggggggggffffgffffffgffgggfaaaaa"
    "cccccccccccccccccccccccccccccccccccccccccccceeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeccccccccccccceccccccc"
    "ccccccccccccccccccccccccccceeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeegggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg"
    "bcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbc"
    "bcbcbcbcbcbcbcbcbcbcbcccccccccbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbc"
    "ccccccccbbbbbbbbccccccaabbbbbbaaccccccccbbbbbbbbccccccccbbbbbbbbccccccaabbbbbbaaccccccccababababccccccccbbbbbbbbccccccccccccccaa"
    "ccccccccddddddddccccccccddddddddccccccccddddddddcccccaccbbbbdlclllcccaccbbbbdlllccccaaccbbbballlccccccccbbbbblllaacccaccbbbbdlla"
    "mmmmmmmmmmmaaaaakkkkkkkkkkkkkkkkkkkkkkkkmmaaaaamkkkkkkkkkkkkkkkkkkkklkkkkkkkkkkkkklkkkkkkkkkkkkmaaaaaaaaaaaaaaaaieaaiiiiiilllkke"
    "iiiiiiiiiilllkkaeeeeeeeeeeeeeaaalllllllllllllllllllllllllllllllllaaaaaaaaaaaaaaagggggggggggggggggggggggggggggggggaaaaaaaaaaaaaaa"
    "llbllllbllcbbbccbbbclblllbbbbbllllllblblblbbbblcbbbbcffffcllccbblllllbccccllllcliiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii"
    "iiibciiiiillaaaallllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
    "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
    "llllllllkkkklllllllllllllllllllllllllllllkklllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
    "llllllllllllllllllllllllllllllllllllllllllaaaaaaaaaaaaaaaaaaaaaalllllllllllaaaaaaaaaaaaaaaaaaaaaiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii"
    "iiiiiiiiiiiiiiiiiiiiiiiiiiiilllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllliiiiiiiiiiiiiiiiiiiiii"
    "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllkkkkkkkkkkkkkkiiiiiiiiii"
    "iiiiiiiiiiiiiiiiiiiilllllllllllllllllllllllllllllllllllllllllllllllllkklllllllllllllllllllllllllllllllkkkkkkkkkkllllllllllllllll"
    "lllkkkkkkkkkkkkkkkkkkkkkklllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllkkkkllllllllllllllllllllllllllllllllkkll"
    "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllaallllllllll"
    "llllllllllllllllllllllalllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbccccccccccccccccccccccccccccccccccccccccccccccccbcbbbccbcbcbcbbbbcbccbcccccceebb"
    "bcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbccllllllbcbcgggbcaaaaakkkkikk"
    "ccccccccccccccccccccccccccccccccccccccacaaaaacaaffffffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaaaaekaaaaaaaaaaaaaag"
    "fffffffffffffffffffffffaaaaaaaaafffffffafffffffafffffffafffffffafffffffafffffffafffffffafffffffagggggggggggggggggggggggggggggggg"
    "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkekkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkllkkkkkkkkkkkkaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "rrrrrrrrrrrrrrrrrrrrrrrrrrarrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrraaaaaaaaaaaa"
    "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"
    "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrraaaaaaaaaaaaaaaaaaaaaaaaaallllllllllllllll"
    "mkkklofqkkkkkkkkkkllkkkkkkkkkkkklqqqqqqqqqggggggkeeeeellqqqofkllafffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "fffffffffffffffffffffffaagglleefkffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffkeeef"
    "aaaaafffffffffffffffffffffffffffffffffffffffffffafffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "fffffffffffffffalliiiillllllllllffffffffffffffffffffffffffffffffllllllllllllllllllllllllllllllllllllllaaaaaaaaalffffffffffffffff"
    "lllllllllllllllllllllllllllllllaiiiiiiiiiilllllllllllllllllllllllllllllliiiiiiiiliiiiiiiiiiiiiiillllllllllllllllllllllllllllllll"
    "iiiiiiiiiillllllllllllllllllllllllllllllllllllllliiiiiiiiiiiiiiillllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
    "fffffffffffffffffffffeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "fffffffffffffaaalllllllllllllllllllllllllllllllllllllllllllllllllllllllaaaaaaaaaffffffffffffffffffffffffffffffffffffffffeeeeeekk"
    "ffffffffffffekkkffffffffffffffffhhhhhhhhhhffaaaaaaaaaaaaaaaaaaaabcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcfggggkggggggggggke"
    "bcbcbcbcbcbcbcbcbcbcbcbcbcbceeggffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffiiiiiiiiiiggkkkkkkaaaaaaaa"
    "llllllllllllllllllllllleeeeeeeeellbcbcbcbcbcbcbcccbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbceccccccccbcbcbbc"
    "bcbcbcbcellbcbcfbcbcccbcbcbcbcbcbcbcbcbcbcbbbbbcbbbbbcbcbcbcbcbcbcbcbbbbcbcbbcaabcacacbcbcbcbaaaaaaaaaaaaaaaaaaaaaeeebcfeecfffff"
    "ffgfffgffffgfffffffffffffffffffffffgggggllllgaaaiiiiiillllaaaaaaffffffffffffffffffffffffffffffffffffffffffffffffffffkkkkaaaaaaaa"
    "ggffffffffffffffffffffffffffffffffffffffffffffffffffggggggggggggggggggaaaaaaaakkhhhhhhhhhhaaaaaaggggggggggggggggggffffffkkkfkffg"
    "hhhhhhhhhhffffffffffffffffffffffffffffggggggggkkfffffffffffffffffffffffgggggggggggggaaaaaaaaaaakfffffffffffffffffffffffffffffaaa"
    "ggggfffffffffffffffffffffffffffffffffffffffffffffffggggggggggggggkkkkkkkkkkkkkaehhhhhhhhhhaaaakkfffffgefffffffffhhhhhhhhhhfffffa"
    "fffffffffffffffffffffffffffffffffffffffffggggggggggggggaaaaaaaaafffgffffffffggaahhhhhhhhhhaakkkkffffffffffffffffefffffflllfgggff"
    "ffffffffffffffffffffffffffffffffffffffffffffffffgfgggffggfffffggfgfaaaaaaaaaaaaaaaaaaaaaaaaffekkfffffffffffgggggkkfeeggaaaaaaaaa"
    "affffffaaffffffaaffffffaaaaaaaaafffffffafffffffacccccccccccccccccccccccccccccccccccccccccccleeeecccccccccellaaaacccccccccccccccc"
    "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccfffffffffffffffffffffffffffffffffffggggggggkggaahhhhhhhhhhaaaaaa"
    "ffffffffffffffffffffffffffffffffffffaaaaaaaaaaaafffffffffffffffffffffffaaaafffffffffffffffffffffffffffffffffffffffffffffffffaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnaannnnnnnnnnnnnnnn"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "cccccccaaaaaaaaaaaacccccaaaaafgfffffffffflfffffffffffffafffffafaffaffaffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "fffffffffffffffffffffffffffffffffffffffffffffffffflllllllllllllllllaaaaaaaaaaaaaaaafffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffkkllllllllllllllllffffffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffaaffffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaaaalaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaffffffffffffllll"
    "ggggggggggggggggkkkkkkkkkkaaaaaaggggggggggggggggkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkakkkkkkkkkkkkkklklllaklkkaaaafffffaffffffffff"
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffaaa"
    "akkklkkkkkklkkkkhhhhhhhhhhkklllkkbbbbbbbbbbbbbbbbbbbbbbbbbbkkklklccccccccccccccccccccccccccklklkkkkkkkffffffffffefffffffffffffff"
    "ffffffffffffffffffffffffffffffeefffffffffffffffffffffffffffffffaaaffffffaaffffffaaffffffaafffaaalllllllalllllllaaaaaaaaaaaaallaa"
    "ffffffffffffaffffffffffffffffffffffffffafffffffffffffffffffaffafffffffffffffffaaffffffffffffffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaa"
    "kkkaaaaiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiaaallllllllliiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiilllllll"
    "lllllllllliilllalllllllllllllaaalaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaalllllllllllllllllllllllllllllllllllllllllllllgaa"
    "fffffffffffffffffffffffffffffaaafffffffffffffffffffffffffffffffffffffffffffffffffaaaaaaaaaaaaaaagiiiiiiiiiiiiiiiiiiiiiiiiiiiaaaa"
    "ffffffffffffffffffffffffffffffffiiiiaaaaaaaaaffffffffffffffffffffiffffffffiaaaaaffffffffffffffffffffffffffffffffffffffgggggaaaaa"
    "ffffffffffffffffffffffffffffffakffffffffffffffffffffffffffffffffffffaaaaffffffffkiiiiiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbccccccccccccccccccccccccccccccccccccccccffffffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffaahhhhhhhhhhaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbaaaaccccccccccccccccccccccccccccccccccccaaaa"
    "ffffffffffffffffffffffffffffffffffffffffaaaaaaaaffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaaaaaaaakbbbbbbbbbbbabbbb"
    "bbbbbbbbbbbabbbbbbbabbacccccccccccacccccccccccccccacccccccaccaaaffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaaaaaaaaa"
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaaaaaaffffffffffffffffffffffaaaaaaaaaaffffffffaaaaaaaaaaaaaaaaaaaaaaaa"
    "eeeeeeaeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeaeeeeeeeeeaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "ffffffaafaffffffffffffffffffffffffffffffffffffffffffffaffaaafaafffffffffffffffffffffffakiiiiiiiiffffffffffffffffffffffflliiiiiii"
    "fffffffffffffffffffffffffffffffaaaaaaaaiiiiiiiiiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaafffffffffffffffffffaffaaaaaiiiii"
    "ffffffffffffffffffffffiiiiiiaaakffffffffffffffffffffffffffaaaaakaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaiiffiiiiiiiiiiiiiiiiaaiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii"
    "fgggaggaaaaaggggffffafffafffffffffffffffffffffffffffffaagggaaaagiiiiiiiiiaaaaaaakkkkkkkkkaaaaaaafffffffffffffffffffffffffffffiik"
    "fffffffffffffffffffffffffffffiiiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaafffffffflffffffffffffffffffffffffffffggaaaaiiiiikkkkkkkaaaaaaaaa"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffaaakkkkkkkffffffffffffffffffffffaaiiiiiiiifffffffffffffffffffaaaaaiiiiiiii"
    "ffffffffffffffffffaaaaaaakkkkaaaaaaaaaaaaiiiiiiiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbaaaaaaaaaaaaacccccccccccccccccccccccccccccccccccccccccccccccccccaaaaaaaiiiiii"
    "ffffffffffffffffffffffffffffffffffffggggaaaaaaaahhhhhhhhhhaaaaaahhhhhhhhhhffffefbbbbbbbbbbbbbbbbbbbbbbaaagggggkecccccccccccccccc"
    "ccccccaaaaaaaallaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiia"
    "ffffffffffffffffffffffffffffffffffffffffffaggkaaffaaaaaaaaaaaaaaaafffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaagggg"
    "fffffffffffffffffffffffffffffiiiiiiiiiifaaaaaaaaffffffffffffffffffffffgggggggggggiiiikkkkkaaaaaaaaaaaaaaaaaaaaaaffffffffffffffff"
    "ffggggkkkkaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaafffffffffffffffffffffiiiiiiiaaaaaaaaaaaaaaaaaaaafffffffffffffffffffffffaaaaaaaaa"
    "gggfffffffffffffffffffffffffffffffffffffffffffffffffffffgggggggggggggggkkkkkkkaaaaiiiiiiiiiiiiiiiiiiiihhhhhhhhhhgffggfaaaaaaaaag"
    "gggfffffffffffffffffffffffffffffffffffffffffffffgggggggggggkkakkkkgaaaaaaaaaaaaafffffffffffffffffffffffffaaaaaaahhhhhhhhhhaaaaaa"
    "gggffffffffffffffffffffffffffffffffffffggggggggggggggahhhhhhhhhhkkkkfggfaaaaaaaafffffffffffffffffffffffffffffffffffgkkfaaaaaaaaa"
    "gggffffffffffffffffffffffffffffffffffffffffffffffffggggggggggggggffffkkkkggggkgghhhhhhhhhhfkfkkkaiiiiiiiiiiiiiiiiiiiiaaaaaaaaaaa"
    "ffffffffffffffffffafffffffffffffffffffffffffggggggggggggkkkkkkgffgaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "fffffffafaffffafffffffffffffffaffffffffffkaaaaaafffffffffffffffffffffffffffffffffffffffffffffffggggggggggggaaaaahhhhhhhhhhaaaaaa"
    "ggggaffffffffaaffaaffffffffffffffffffffffafffffffaffafffffaggfgggggggaaggaagggaafaaaaaagaaaaafffffggaagggggggaaagggggaaaaaaaaaaa"
    "ffffffffffafaafaffffffffffffffffffffffffffffffffffffffafgggggggggagaagaggggagggggfgfkkakkaaaaaaaaggaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffggggggggggggggggggffffkkkkkhhhhhhhhhhkkakgfffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "ffffffffffffffffffffffffffffffffffffffffffffffffggggggggggggggggggggffkfaaaaaaaahhhhhhhhhhaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "fffffffffffffffffffffffffffffffffffffffffffffffgggggggaagggggggggkkkkkkkkkkkkkkkkkkkkkkkffffggaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "ffffffffffffffffffffffffffffffffffffffffffffffffgggggggggggggggggkkkfaaaaaaaaaaahhhhhhhhhhaaaaaakkkkkkkkkkkkkaaaaaaaaaaaaaaaaaaa"
    "fffffffffffffffffffffffffffffffffffffffffffgggggggggggggfkaaaaaahhhhhhhhhhaaaaaahhhhhhhhhhhhhhhhhhhhaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "fffffffffffffffffffffffffffaagggggggggggggggaaaahhhhhhhhhhiikkklfffffffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "ffffffffffffffffffffffffffffffffffffffffffffgggggggggggggggkaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbcccccccccccccccccccccccccccccccchhhhhhhhhhiiiiiiiiiaaaaaaaaaaaaf"
    "fffffffaafaaffffffffaffaffffffffffffffffffffffffggggggaggaaggggfgfggkkkaaaaaaaaahhhhhhhhhhaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaffffffffaafffffffffffffffffffffffffffffffffffffffgggggggaagggggggfkfgaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "fggggggggggffffffffffffffffffffffffffffffffffffffffgggggggfggggkkkkkkkkgaaaaaaaafgggggggggggffffffffffffffffffffffffffffffffffff"
    "ffffffffffggggggggggggggggkkkfkkkkkaaaaaaaaaaaaafffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaaaa"
    "kkkkkkkkkkaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaafffffffffffffffffffffffffffffffffkaaaaaaaaaaaaaahhhhhhhhhhaaaaaa"
    "fffffffffafffffffffffffffffffffffffffffffffffffggggggggaggggggggfkkkkkaaaaaaaaaahhhhhhhhhhiiiiiiiiiiiiiiiiiiiaaakkffffffffffffff"
    "ffffffffffffffffaaggggggggggggggggggggggaggggggggggggggaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "fffffffaffaffffffffffffffffffffffffffffffffffffffggggggaaagaggagggggggfgaaaaaaaahhhhhhhhhhaaaaaaffffffaffaffffffffffffffffffffff"
    "ffffffffffgggggaggagggggfaaaaaaahhhhhhhhhhaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaawwwwwwwwwwaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaafffffffffffffffffffggggkkaaaaaaa"
    "ggfgfffffffffffffaffffffffffffffffffffffffffffffffffgggggggaaagggggkkkkkkkkkkkkkhhhhhhhhhhgaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaafaaaaaaaaaaaaaaaiiiiiiiiiiiiiiiiiiiiilllllllllllllllllllllllllllllaaaaaaaaaaaaak"
    "ffffffffffffffffffffffffffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiakkkkkaaaaaaaaaaa"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaafffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffkkaaaaaaaaaaaaa"
    "ffffffffffffffffffffffffffffffffffffffffffffffffaaaaaaaaaaaaaaaagffffffgggggggggggggggaaaaaaaaaaffffffffffffffffffffffffffffffff"
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "ffffffffffffffffffffffffffffffgggggggggggggggggghhhhhhhhhhaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaaaafffffffffffffffffffffffffffffffahhhhhhhhhhaaaakkffffffffffffffff"
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffahhhhhhhhhhaaaaaaffffffffffffffffffffffffffffffaagggggkaaaaaaaaaa"
    "ffffffffffffffffffffffffffffffffffffffffffffffffgggggggkkkkklllleeeeklaaaaaaaaaahhhhhhhhhhaiiiiiiiafffffffffffffffffffffaaaaafff"
    "ffffffffffffffffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaeeeffffffffffffffffffffffffffffffffffffffffeekkkhhhhhhhhhhaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbcccccccccccccccccccccccccccccccc"
    "iiiiiiiiiiiiiiiiiiiiiiikkkkaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffaaaagfggggggggggggggggggggggggggggggggggggggggggggggg"
    "ggggggggaaaaaaaggggeeeeeeeeeeeeeaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaeetogaaaaaaaaaaappaawwwaaaaaaaaa"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaaaaa"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaf"
    "fffffffffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaeeeeaeeeeeeeaeea"
    "fffffffffffffffffffffffffffffffffffaaaaaaaaaaaaaaafaaaaaaaaaaaaaaaaaaaaaaaaaaaaafffaafaaaaaaaaaaaaaaffffaaaaaaaaffffffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffaaaa"
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffaaaaafffffffffffffaaa"
    "fffffffffaaaaaaaffffffffffaalggkaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllhhhhhhhhhhaaaaaa"
    "llllllllllllllllllllllllllllllllllllllllllllllllllllaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "ggggggggggggggggggggggggggggggggggggggggggggggaagggggggggggggggggggggggaaaaaaaaallllllllllllllllllllllllllllllllllllllllllllllll"
    "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllaaaaaaaaaa"
    "lllllllllllllllllllllllllllllllllllllllaallllllllllllllllllllllllllllllllllllllllllllllllllllllllllllggggglllggggggaaaaaaaaggggg"
    "gggllgggggggllllllllllllllllllllllllllllllgggglllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllaaaaaaaaaaaaaaaaaaaaa"
    "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllggglaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaiiiiiiiiiiiiiiiiiiiiaaaaaaaaaaaaiiiiiiiiiiiiiiiiiiiiaaaaaaaaaaaa"
    "lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllaaaaaaaaaiiiiiiiiiiiiiiiiiiiiiiiiiaaaaaaa"
    "bbbbbbbbbbbbbbbbbbbbbbbbbbccccccccccccccccccccccccccbbbbbbbbbbbbbbbbbbbbbbbbbbcccccccaccccccccccccccccccbbbbbbbbbbbbbbbbbbbbbbbb"
    "bbccccccccccccccccccccccccccbabbaabaabbaabbbbabbbbbbbbccccacacccccccacccccccccccbbbbbbbbbbbbbbbbbbbbbbbbbbcccccccccccccccccccccc"
    "ccccbbabbbbaabbbbbbbbabbbbbbbaccccccccccccccccccccccccccbbabbbbabbbbbabaaabbbbbbbaccccccccccccccccccccccccccbbbbbbbbbbbbbbbbbbbb"
    "bbbbbbccccccccccccccccccccccccccbbbbbbbbbbbbbbbbbbbbbbbbbbccccccccccccccccccccccccccbbbbbbbbbbbbbbbbbbbbbbbbbbcccccccccccccccccc"
    "ccccccccbbbbbbbbbbbbbbbbbbbbbbbbbbccccccccccccccccccccccccccbbbbbbbbbbbbbbbbbbbbbbbbbbccccccccccccccccccccccccccbbbbbbbbbbbbbbbb"
    "bbbbbbbbbbccccccccccccccccccccccccccccaabbbbbbbbbbbbbbbbbbbbbbbbblccccccccccccccccccccccccclccccccbbbbbbbbbbbbbbbbbbbbbbbbblcccc"
    "ccccccccccccccccccccclccccccbbbbbbbbbbbbbbbbbbbbbbbbblccccccccccccccccccccccccclccccccbbbbbbbbbbbbbbbbbbbbbbbbblcccccccccccccccc"
    "ccccccccclccccccbbbbbbbbbbbbbbbbbbbbbbbbblccccccccccccccccccccccccclccccccbcaahhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"
    "gggggggggggggggggggggggggggggggggggggggggggggggggggggggllllggggggggggggggggggggggggggggggggggggggggggggggggggllllllllgllllllllll"
    "llllgllkkkkkaaaaaaaaaaaaaaagggggagggggggggggggggaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "ccccccccccfccccccccccccccccccccaaaaaaccccccaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "gggggggagggggggggggggggggaagggggggaggagggggaaaaaeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaagaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "fffffffffffffffffffffffffffffffffffffffffffffaaagggggggeeeeeeeaahhhhhhhhhhaaaaflaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaffffffffffffffffffffffffffffffgaaaaaaaaaaaaaaaaaffffffffffffffffffffffffffffffffffffffffffffgggghhhhhhhhhhaaaaal"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaafffffffffffffffffffffffffffegggghhhhhhhhhhaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaffffffffffffffffffffffffffffffggfhhhhhhhhhhaaaak"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaafffffffaffffaffafffffffffffffffa"
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffaaiiiiiiiiigggggggaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbccccccccccccccccccccccccccccccccccgggggggeaaaahhhhhhhhhhaaaakkaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaiiiiiiiiiiiiiii"
    "iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiliiiliiiiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiliiiiiiiiiiiiiiiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "ffffafffffffffffffffffffffffffffaffafaafaffffffffffaffffafafaaaaaafaaaafafafafffaffafaafafafafafaffafaaffffafffffffaffffaffffafa"
    "ffffffffffafffffffffffffffffaaaaafffafffffafffffffffffffffffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaallaaaaaaaaaaaaaa"
    "llllllllllllllllllllllllllllllllllllllllllllaaaallllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
    "llllllllllllllllllllaaaaaaaaaaaalllllllllllllllaalllllllllllllllalllllllllllllllalllllllllllllllllllllllllllllllllllllaaaaaaaaaa"
    "iiiiiiiiiiiiilllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
    "llllllllllllllllllllllllllllllllllllllllllllllaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaallllllllllllllllllllllllll"
    "lllaaaaaaaaaaaaallllllllllllllllllllllllllllllllllllllllllllaaaalllllllllaaaaaaallaaaaaaaaaaaaaallllllaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllaaaalllllllllllllllllaaalllllllllllllaaa"
    "lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllaaaalllll"
    "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllaaaaaallllllllllllaaaalaaaaaaaaaaaaaaa"
    "llllllllllllaaaallllllllllllllllllllllllllllllllllllllllllllllllllllllllaaaaaaaallllllllllaaaaaallllllllllllllllllllllllllllllll"
    "llllllllaaaaaaaallllllllllllllllllllllllllllllaallllllllllllaaaallaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllaaaaaaaaaaaallllllllllllllaalllllllllllllaaa"
    "llllllllllaaaaallllllllllllllllllllllllllllllllllllllllllllllllllllllllaaaaaaalllllllllllllllaalllllllllllaaaaaalllllllllaaaaaaa"
    "lllllllllllllllllllallllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllhhhhhhhhhhaaaaaa"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnaaaaaannnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnaannnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnaaaaaaaaaaaaaannnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnaaaaaaaaaaaaaaannnnnnnnnnnnnnnn"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnaaaaannnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

const std::uint8_t kClassIndex[] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 34, 35, 36, 37, 38, 39, 34, 34, 34,
    40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61,
    62, 63, 64, 64, 65, 64, 66, 67, 64, 64, 64, 64, 68, 69, 64, 64, 64, 70, 64, 64, 71, 72,
    73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 64, 64, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 88, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 89, 34, 34, 34, 34, 34, 34, 34, 34, 90,
    34, 34, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 34, 34, 34, 34, 34, 34, 34, 34,
    34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34,
    34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34,
    34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34,
    34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 103, 104, 104, 104, 104, 104, 104, 104, 104,
    104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104,
    104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104,
    104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 87, 87, 105, 106, 107, 108, 34, 34,
    109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 104, 119, 120, 121, 122, 123, 124, 125, 34, 34, 126, 127,
    128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 142, 143, 144, 145, 146, 147, 148, 149,
    150, 151, 152, 153, 104, 154, 155, 156, 157, 104, 158, 159, 160, 161, 162, 163, 164, 165, 166, 167, 168, 169,
    104, 170, 171, 172, 34, 34, 34, 34, 34, 34, 34, 173, 174, 34, 175, 104, 104, 104, 104, 104, 104, 104,
    104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 176, 34, 34, 34, 34, 34, 34, 34, 34,
    177, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34,
    34, 34, 34, 34, 34, 34, 34, 34, 34, 116, 34, 34, 34, 34, 178, 104, 104, 104, 104, 104, 104, 104,
    104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104,
    104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104,
    104, 104, 179, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 34, 34, 34, 34, 180, 181,
    182, 183, 104, 104, 184, 104, 185, 186, 187, 188, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34,
    34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34,
    34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 189, 34, 34, 34, 34, 34, 34, 34, 34,
    34, 190, 191, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104,
    104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104,
    104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104,
    104, 104, 104, 104, 104, 192, 34, 34, 193, 34, 34, 194, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104,
    104, 104, 104, 104, 104, 104, 104, 104, 195, 196, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104,
    104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 64, 197, 64, 64,
    64, 198, 199, 200, 64, 201, 202, 203, 204, 205, 206, 104, 207, 208, 209, 210, 211, 212, 213, 214, 64, 64,
    64, 64, 215, 216, 104, 104, 104, 104, 104, 104, 104, 104, 217, 104, 218, 219, 220, 104, 104, 221, 104, 104,
    104, 222, 104, 223, 104, 104, 104, 224, 34, 225, 226, 104, 104, 104, 104, 104, 227, 228, 229, 104, 230, 231,
    104, 104, 232, 233, 234, 235, 236, 104, 64, 64, 64, 64, 64, 64, 64, 237, 238, 239, 240, 241, 64, 64,
    242, 243, 64, 244, 104, 104, 104, 104, 104, 104, 104, 104, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 245, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 246, 87, 247, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 248, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 249,
    87, 87, 87, 87, 250, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104,
    104, 104, 87, 87, 87, 87, 251, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 104, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 252, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87, 87,
    87, 253};

const Addition kAdditions[] = {
    {"L",
     R"(\x{1c89}-\x{1c8a}\x{a7cb}-\x{a7cd}\x{a7da}-\x{a7dc}\x{105c0}-\x{105f3}\x{10d4a}-\x{10d65}\x{10d6f}-)"
     R"(\x{10d85}\x{10ec2}-\x{10ec4}\x{1123f}-\x{11240}\x{11380}-\x{11389}\x{1138b}\x{1138e}\x{11390}-)"
     R"(\x{113b5}\x{113b7}\x{113d1}\x{113d3}\x{11bc0}-\x{11be0}\x{11f02}\x{11f04}-\x{11f10}\x{11f12}-)"
     R"(\x{11f33}\x{1342f}\x{13441}-\x{13446}\x{13460}-\x{143fa}\x{16100}-\x{1611d}\x{16d40}-\x{16d6c})"
     R"(\x{18cff}\x{1b132}\x{1b155}\x{1df25}-\x{1df2a}\x{1e030}-\x{1e06d}\x{1e4d0}-\x{1e4eb}\x{1e5d0}-)"
     R"(\x{1e5ed}\x{1e5f0}\x{2b739}\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})"},
    {"Lu",
     R"(\x{1c89}\x{a7cb}-\x{a7cc}\x{a7da}\x{a7dc}\x{10d50}-\x{10d65})"},
    {"Ll",
     R"(\x{1c8a}\x{a7cd}\x{a7db}\x{10d70}-\x{10d85}\x{1df25}-\x{1df2a})"},
    {"Lm",
     R"(\x{10d4e}\x{10d6f}\x{16d40}-\x{16d42}\x{16d6b}-\x{16d6c}\x{1e030}-\x{1e06d}\x{1e4eb})"},
    {"Lo",
     R"(\x{105c0}-\x{105f3}\x{10d4a}-\x{10d4d}\x{10d4f}\x{10ec2}-\x{10ec4}\x{1123f}-\x{11240}\x{11380}-)"
     R"(\x{11389}\x{1138b}\x{1138e}\x{11390}-\x{113b5}\x{113b7}\x{113d1}\x{113d3}\x{11bc0}-\x{11be0})"
     R"(\x{11f02}\x{11f04}-\x{11f10}\x{11f12}-\x{11f33}\x{1342f}\x{13441}-\x{13446}\x{13460}-\x{143fa})"
     R"(\x{16100}-\x{1611d}\x{16d43}-\x{16d6a}\x{18cff}\x{1b132}\x{1b155}\x{1e4d0}-\x{1e4ea}\x{1e5d0}-)"
     R"(\x{1e5ed}\x{1e5f0}\x{2b739}\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})"},
    {"M",
     R"(\x{897}\x{cf3}\x{ece}\x{10d69}-\x{10d6d}\x{10efc}-\x{10eff}\x{11241}\x{113b8}-\x{113c0}\x{113c2})"
     R"(\x{113c5}\x{113c7}-\x{113ca}\x{113cc}-\x{113d0}\x{113d2}\x{113e1}-\x{113e2}\x{11f00}-\x{11f01})"
     R"(\x{11f03}\x{11f34}-\x{11f3a}\x{11f3e}-\x{11f42}\x{11f5a}\x{13440}\x{13447}-\x{13455}\x{1611e}-)"
     R"(\x{1612f}\x{1e08f}\x{1e4ec}-\x{1e4ef}\x{1e5ee}-\x{1e5ef})"},
    {"N",
     R"(\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{11f50}-\x{11f59}\x{16130}-\x{16139})"
     R"(\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1d2c0}-\x{1d2d3}\x{1e4f0}-\x{1e4f9}\x{1e5f1}-\x{1e5fa})"},
    {"Nd",
     R"(\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{11f50}-\x{11f59}\x{16130}-\x{16139})"
     R"(\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1e4f0}-\x{1e4f9}\x{1e5f1}-\x{1e5fa})"},
    {"P",
     R"(\x{1b4e}-\x{1b4f}\x{1b7f}\x{10d6e}\x{113d4}-\x{113d5}\x{113d7}-\x{113d8}\x{11b00}-\x{11b09}\x{11be1})"
     R"(\x{11f43}-\x{11f4f}\x{16d6d}-\x{16d6f}\x{1e5ff})"},
    {"S",
     R"(\x{2427}-\x{2429}\x{2ffc}-\x{2fff}\x{31e4}-\x{31e5}\x{31ef}\x{10d8e}-\x{10d8f}\x{1cc00}-\x{1ccef})"
     R"(\x{1cd00}-\x{1ceb3}\x{1f6dc}\x{1f774}-\x{1f776}\x{1f77b}-\x{1f77f}\x{1f7d9}\x{1f8b2}-\x{1f8bb})"
     R"(\x{1f8c0}-\x{1f8c1}\x{1fa75}-\x{1fa77}\x{1fa87}-\x{1fa89}\x{1fa8f}\x{1faad}-\x{1faaf}\x{1fabb}-)"
     R"(\x{1fabf}\x{1fac6}\x{1face}-\x{1facf}\x{1fada}-\x{1fadc}\x{1fadf}\x{1fae8}-\x{1fae9}\x{1faf7}-)"
     R"(\x{1faf8}\x{1fbcb}-\x{1fbef})"},
    {"Han",
     R"(\x{2e80}-\x{2e99}\x{2e9b}-\x{2ef3}\x{2f00}-\x{2fd5}\x{3005}\x{3007}\x{3021}-\x{3029}\x{3038}-)"
     R"(\x{303b}\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}\x{f900}-\x{fa6d}\x{fa70}-\x{fad9}\x{16fe2}-\x{16fe3})"
     R"(\x{16ff0}-\x{16ff1}\x{20000}-\x{2a6df}\x{2a700}-\x{2b739}\x{2b740}-\x{2b81d}\x{2b820}-\x{2cea1})"
     R"(\x{2ceb0}-\x{2ebe0}\x{2ebf0}-\x{2ee5d}\x{2f800}-\x{2fa1d}\x{30000}-\x{3134a}\x{31350}-\x{323af})"},
};
const std::size_t kAdditionCount = sizeof kAdditions / sizeof *kAdditions;

}  // namespace partita::internal
