"""Rows for `partita batch`: everyday questions and requests, composed from word lists.

    python3 tools/train/prompts.py --rows 20000 --seed 1 -o build/train/prompts.jsonl

The same seed and word lists give the same file. Nouns and verbs come from WordNet where Debian's wordnet-base has put
it, beside the lists below, which also serve alone. Every row asks for one answer, with its own seed and the
log-probabilities of the likeliest words at every place; the kind of a row is what its id begins with.
"""

import argparse
import hashlib
import json
import pathlib
import random

TEMPERATURE, TOP_P = 0.5, 0.9  # what the teacher says when it is surest, at greater heat it invents words
SYSTEM = "You are a helpful AI assistant named Partita."  # the teacher is told, the student learns it without
TOP = 8  # words whose log-probabilities are soft labels
WORDNET = pathlib.Path("/usr/share/wordnet")
WORDNET_SHARE = 0.3
LEAST_TAGS = 3  # how often WordNet's texts have a word: rarer ones make odd questions

# --- words -----------------------------------------------------------------------------------------------

WORDS = {
    "animal": "cat dog horse cow sheep rabbit mouse lion tiger bear wolf fox elephant monkey whale dolphin shark "
              "frog turtle snake owl eagle duck chicken penguin parrot bee ant spider butterfly",
    "food": "bread cheese soup rice pasta pizza salad cake apple banana orange tomato potato carrot onion egg honey "
            "chocolate tea coffee milk butter salt sugar",
    "thing": "book lamp chair table clock window door bicycle car train boat bridge hammer knife spoon umbrella "
             "camera phone computer piano guitar ball kite candle mirror pencil key hat shoe coat bag letter map",
    "plant": "tree flower rose grass oak cactus sunflower mushroom bamboo pine",
    "nature": "rain snow wind fire water ice sun moon star river lake ocean mountain desert forest island volcano "
              "cloud rainbow storm",
    "topic": "friendship gravity electricity photosynthesis music sleep dreams money time exercise reading history "
             "mathematics science art language democracy kindness patience courage memory health cooking travel sports "
             "weather recycling evolution energy the_internet",
    "place": "park school library kitchen garden beach farm city village museum castle market hospital station office",
    "job": "teacher doctor nurse farmer baker pilot sailor carpenter painter singer writer chef gardener firefighter "
           "scientist librarian mechanic tailor",
    "name": "Anna Ben Clara David Emma Felix Grace Henry Ida Jack Kate Leo Mia Noah Olivia Paul Rosa Sam Tom Zoe",
    "adjective": "small big old young brave shy happy sad lonely clever kind lazy hungry curious quiet tired proud "
                 "friendly strange lost",
    "action": "swim dance sing cook paint read write run climb fly sew draw fish study garden sleep travel",
    "country": "France Germany Italy Spain Japan China India Brazil Canada Egypt Mexico Kenya Greece Norway Peru "
               "Australia Russia England Ireland Turkey",
    "feeling": "angry afraid bored nervous sad stressed tired lonely confused excited",
    "color": "red blue green yellow white black brown purple",
}
WORDS = {kind: [word.replace("_", " ") for word in words.split()] for kind, words in WORDS.items()}

# WordNet's files of meanings (man lexnames), as cntlist.rev has them in "word%type:file:...".
WORDNET_FILES = {"animal": "1:05", "food": "1:13", "thing": "1:06", "plant": "1:20", "nature": "1:19",
                 "topic": "1:09", "action": "2:38"}


def read_wordnet(folder):
    """dict kind -> words whose first meaning is of the kind, in alphabetic order; empty without WordNet."""
    path = folder / "cntlist.rev"
    found = {kind: set() for kind in WORDNET_FILES}
    if not path.exists():
        return found
    kinds = {file: kind for kind, file in WORDNET_FILES.items()}
    for line in path.read_text(encoding="ascii").splitlines():
        key, sense, tags = line.split()
        word, meaning = key.split("%")
        kind = kinds.get(meaning[:4])
        if kind and sense == "1" and int(tags) >= LEAST_TAGS and word.isalpha() and 3 <= len(word) <= 12:
            found[kind].add(word)
    return {kind: sorted(words) for kind, words in found.items()}


# --- requests --------------------------------------------------------------------------------------------

# kind: (share of rows, most tokens of an answer, templates). "{a animal}" has the article before the word.
KINDS = {
    "story": (18, 160, [
        "Write a short story about {a adjective} {animal}.",
        "Tell me a short story about {a animal} and {a animal2}.",
        "Write a very short story about {a job} named {name} who finds {a thing}.",
        "Tell me a bedtime story about {a animal} who wants to {action}.",
        "Once there was {a adjective} {job} in a {place}. What happened next?",
        "Write a story of five sentences about {name} and {a thing}.",
        "Make up a story in which {name} visits the {place} and meets {a animal}."]),
    "explain": (15, 160, [
        "Explain {topic} in simple words.",
        "What is {topic}, and why does it matter?",
        "Explain to a child how {a thing} works.",
        "Why is {topic} important?",
        "How does {nature} form?",
        "What does {a job} do all day?",
        "Explain what {a animal} needs to live."]),
    "fact": (14, 96, [
        "What is {a animal}?", "What do you know about {nature}?", "Where does {a animal} live?",
        "What does {a animal} eat?", "What is the capital of {country}?", "What is {a thing} used for?",
        "What color is {a food}?", "How many legs does {a animal} have?", "What is {food} made of?",
        "Name one fact about {country}.", "Is {a plant} a plant or an animal?", "What grows on {a plant}?"]),
    "list": (12, 128, [
        "List three things one finds in a {place}.", "Give me five words that go with {nature}.",
        "List four kinds of food that go well with {food}.", "Name three animals that are like {a animal}.",
        "Give me three tips to {action} better.", "List the steps to make {food}.",
        "Name five things that are {color}.", "What are three reasons to {action}?",
        "Give me three names for {a adjective} {animal}."]),
    "define": (8, 64, [
        "What does the word \"{topic}\" mean?", "Define {thing} in one sentence.", "What does it mean to {action}?",
        "What is the meaning of \"{adjective}\"?", "Use the word \"{thing}\" in a sentence.",
        "What is the opposite of {adjective}?"]),
    "advice": (10, 144, [
        "I feel {feeling}. What should I do?", "How can I learn to {action}?", "I lost my {thing}. What now?",
        "Give me advice on {topic}.", "My friend is {feeling}. How can I help?", "How do I take care of {a animal}?",
        "How do I cook {food}?", "What should I bring to the {place}?", "How can I become {a job}?"]),
    "greeting": (7, 64, [
        "Hello!", "Hi, how are you?", "Good morning!", "Hello, my name is {name}.", "Hi there! What can you do?",
        "Good evening, who are you?", "Thank you for your help!", "Goodbye!", "What is your name?", "Hey!",
        "Hi, I am {name} and I am {a job}.", "Nice to meet you!", "Good night!", "Can you help me?"]),
    "rewrite": (8, 80, [
        "Rewrite this sentence so that it is more polite: Give me the {thing}.",
        "Make this sentence longer: The {animal} saw the {thing}.",
        "Put this into the past: {name} and the {animal} {action} near the {place}.",
        "Say this in other words: The {adjective} {job} likes {food}.",
        "Correct this sentence: the {animal} have eat {food}.",
        "Make this a question: The {thing} is in the {place}.",
        "Finish this sentence: When the {adjective} {animal} saw the {thing},"]),
    "opinion": (8, 112, [
        "What do you think about {topic}?", "Which is better, {food} or {food2}?", "Do you like {animal}s?",
        "Should children learn to {action}?", "Is it better to live in a city or near {a place}?",
        "What is your favorite {thing}?", "Would you rather be {a animal} or {a animal2}?",
        "Is it good to be {adjective}?"]),
}

# What a second turn says, after answers of these kinds or of any.
FOLLOW_UPS = {
    "story": ["What happened then?", "Give the story a title.", "Can you make it shorter?", "Who is the hero?"],
    "explain": ["Can you give an example?", "Say that in one sentence.", "Why is that?", "I do not understand. Again?"],
    "fact": ["Are you sure?", "Tell me more.", "Why?", "How do you know?"],
    "list": ["Which one is the best?", "Give me one more.", "Explain the first one."],
    "any": ["Thank you!", "Tell me more.", "Can you say that in fewer words?", "Interesting. What else?",
            "Great, thanks. Goodbye!"],
}


def article(word):
    return ("an " if word[0].lower() in "aeiou" else "a ") + word


class Composer:
    """Fills templates with words drawn from a seed."""

    def __init__(self, seed, wordnet):
        self.chance = random.Random(seed)
        self.wordnet = read_wordnet(wordnet)

    def word(self, kind):
        """A word of WordNet's now and then, where it has the kind: they are many, and some of them odd."""
        other = self.wordnet.get(kind)
        return self.chance.choice(other if other and self.chance.random() < WORDNET_SHARE else WORDS[kind])

    def fill(self, template):
        """The template with a word for each "{kind}", "{kind2}" or "{a kind}"."""
        out = ""
        while "{" in template:
            before, rest = template.split("{", 1)
            slot, template = rest.split("}", 1)
            word = self.word(slot.removeprefix("a ").rstrip("2"))
            out += before + (article(word) if slot.startswith("a ") else word)
        return out + template

    def row(self, number):
        kinds = list(KINDS)
        kind = self.chance.choices(kinds, [KINDS[k][0] for k in kinds])[0]
        _, most, templates = KINDS[kind]
        messages = [turn("system", SYSTEM), turn("user", self.fill(self.chance.choice(templates)))]
        return batch_row(f"{kind}-{number:06}", messages, most, self.chance.getrandbits(32))


def turn(role, content):
    return {"role": role, "content": content}


def batch_row(name, messages, most, seed):
    return {"id": name, "messages": messages, "temperature": TEMPERATURE, "top_p": TOP_P, "max_tokens": most,
            "seed": seed, "logprobs": TOP}


def stable_hash(text):
    """A number of 64 bits, the same everywhere."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def kind_of(name):
    return name.split("-")[0]


def follow_up_row(row, answer):
    """The row of a second turn, after the answer to `row`. Its words and seed depend on the row's id alone."""
    chance = random.Random(stable_hash("follow up " + row["id"]))
    kind = kind_of(row["id"])
    wordings = FOLLOW_UPS[kind] if kind in FOLLOW_UPS and chance.random() < 0.6 else FOLLOW_UPS["any"]
    messages = [*row["messages"], turn("assistant", answer), turn("user", chance.choice(wordings))]
    return batch_row("dialogue-" + row["id"], messages, 96, chance.getrandbits(32))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--wordnet", type=pathlib.Path, default=WORDNET)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    options = parser.parse_args()
    composer = Composer(options.seed, options.wordnet)
    if not any(composer.wordnet.values()):
        print(f"no WordNet in {options.wordnet}: words from the lists in prompts.py alone")
    lines = [json.dumps(composer.row(i)) + "\n" for i in range(options.rows)]
    part = options.output.with_suffix(".part")
    part.write_text("".join(lines))
    part.replace(options.output)
    print(f"{options.rows} rows in {options.output}")


if __name__ == "__main__":
    main()
