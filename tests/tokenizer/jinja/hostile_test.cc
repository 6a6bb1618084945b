// Hostile templates, which try to hang, crash or exhaust memory, get an error.
#include <string>

#include "support.h"
#include "tests/catch.h"

namespace partita::internal::test {
namespace {

std::string repeated(const std::string& part, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += part;
  return out;
}

void refused(const std::string& source, ErrorCode code) {
  INFO(source.substr(0, 200));
  const auto result = render(source, user_message("x"));
  REQUIRE_FALSE(result.ok());
  INFO(result.error().message);
  CHECK(result.error().code == code);
}

TEST_CASE("nesting is bounded where the template is parsed") {
  for (const std::size_t depth : {300, 20'000}) {
    for (const char* open : {"(", "[", "not ", "-", "{1: ", "f(", "x[", "[x if 1 else ", "(x, "}) {
      const auto result = ChatTemplate::parse("{{ " + repeated(open, depth) + "x }}");
      REQUIRE_FALSE(result.ok());
    }
    for (const char* open : {"{% if x %}", "{% for x in y %}", "{% set x %}", "{% macro m() %}", "{% with %}",
                             "{% filter upper %}", "{% call m() %}", "{% generation %}", "{% for (x"}) {
      REQUIRE_FALSE(ChatTemplate::parse(repeated(open, depth)).ok());
    }
    refused("{% set " + repeated("(", depth) + "x" + repeated(")", depth) + " = 1 %}",
            ErrorCode::kUnsupported);
    refused("{{ " + repeated("(", depth) + "1" + repeated(")", depth) + " }}", ErrorCode::kUnsupported);
    refused(repeated("{% if x %}", depth) + repeated("{% endif %}", depth), ErrorCode::kUnsupported);
  }
}

TEST_CASE("nesting up to the bound works") {
  CHECK(render("{{ " + repeated("(", 150) + "1" + repeated(")", 150) + " }}").value() == "1");
  CHECK(render(repeated("{% if 1 %}", 150) + "x" + repeated("{% endif %}", 150)).value() == "x");
  CHECK(render("{{ 1" + repeated(" + 1", 300) + " }}").value() == "301");
}

TEST_CASE("the height of operators is bounded") {
  for (const char* step : {" + 1", ".a", "[0]", "|list", " and 1", " or 1", " * 2", " ** 1", "()", " if 1"}) {
    refused("{{ 1" + repeated(step, 20'000) + " }}", ErrorCode::kUnsupported);
  }
}

TEST_CASE("long chains that need no depth are allowed") {
  CHECK(render("{{ 'a'" + repeated(" ~ 'a'", 20'000) + " }}").value().size() == 20'001);
  CHECK(render("{{ 1" + repeated(" < 2 > 1", 5'000) + " }}").value() == "True");
  CHECK(render("{% if 0 %}" + repeated("{% elif 0 %}", 20'000) + "{% else %}x{% endif %}").value() == "x");
  CHECK(render("{{ [" + repeated("1,", 20'000) + "] | length }}").value() == "20000");
}

TEST_CASE("the source is bounded") {
  const auto result = ChatTemplate::parse(std::string((1 << 20) + 1, 'x'));
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == ErrorCode::kUnsupported);
  CHECK(ChatTemplate::parse(std::string(1 << 20, 'x')).ok());
  CHECK_FALSE(ChatTemplate::parse(std::string(1 << 20, '{')).ok());
  CHECK_FALSE(ChatTemplate::parse(repeated("{%", 1 << 19)).ok());
  CHECK_FALSE(ChatTemplate::parse(repeated("{#", 1 << 19)).ok());
  CHECK_FALSE(ChatTemplate::parse("{% raw %}" + repeated("{%endraw ", 100'000)).ok());
}

TEST_CASE("macros cannot recurse forever") {
  refused("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", ErrorCode::kOutOfMemory);
  refused("{% macro f(x=f()) %}{% endmacro %}{{ f() }}", ErrorCode::kOutOfMemory);
  refused("{% macro f() %}{% call f() %}{{ f() }}{% endcall %}{{ caller() }}{% endmacro %}{{ f() }}",
          ErrorCode::kOutOfMemory);
  refused("{% macro f(x) %}{{ f([x]) }}{{ f([x]) }}{% endmacro %}{{ f(1) }}", ErrorCode::kOutOfMemory);
  refused("{% macro f() %}" + repeated("{% if 1 %}", 150) + "{{ f() }}" + repeated("{% endif %}", 150) +
              "{% endmacro %}{{ f() }}",
          ErrorCode::kOutOfMemory);
}

TEST_CASE("recursive loops and blocks cannot recurse forever") {
  refused("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", ErrorCode::kOutOfMemory);
  refused("{% for x in [1, 2] recursive %}{{ loop([1, 2]) }}{{ loop([x]) }}{% endfor %}",
          ErrorCode::kOutOfMemory);
  refused("{% block a %}{{ self.a() }}{% endblock %}", ErrorCode::kOutOfMemory);
}

TEST_CASE("loops cannot run forever", "[slow]") {
  const std::string five = repeated("{% for x in range(100000) %}", 5) + "x" + repeated("{% endfor %}", 5);
  refused(five, ErrorCode::kOutOfMemory);
  refused(repeated("{% for x in range(1000) %}", 4) + "{% set y = 1 %}" + repeated("{% endfor %}", 4),
          ErrorCode::kOutOfMemory);
  refused("{{ range(100001) }}", ErrorCode::kOutOfMemory);
  refused("{{ range(-9223372036854775807, 9223372036854775807) }}", ErrorCode::kOutOfMemory);
  CHECK(render("{{ range(9223372036854775806, 9223372036854775807, 9223372036854775807) | list }}").value() ==
        "[9223372036854775806]");
}

TEST_CASE("strings and lists cannot grow without bound", "[slow]") {
  refused("{{ 'x' * 1000000000000 }}", ErrorCode::kOutOfMemory);
  refused("{{ 'x' * 9223372036854775807 }}", ErrorCode::kOutOfMemory);
  refused("{{ 'xx' * 9223372036854775807 }}", ErrorCode::kOutOfMemory);
  refused("{{ [0] * 9223372036854775807 }}", ErrorCode::kOutOfMemory);
  refused("{{ ([0] * 100000) * 100000 }}", ErrorCode::kOutOfMemory);
  CHECK(render("{{ '' * 9223372036854775807 }}{{ [] * 9223372036854775807 }}").value() == "[]");
  const std::string twice = "{% set ns = namespace(s='xy') %}{% for i in range(60) %}{% set ns.s = ";
  for (const char* grown : {"ns.s + ns.s", "ns.s ~ ns.s", "ns.s * 2", "ns.s.replace('x', ns.s)",
                            "[ns.s, ns.s] | join", "'%s%s' % (ns.s, ns.s)", "'{0}{0}'.format(ns.s)",
                            "ns.s | replace('', ns.s)", "[ns.s, ns.s]", "{1: ns.s, 2: ns.s} | tojson",
                            "[ns.s, ns.s] | string", "(ns.s, ns.s) | map('upper') | list | string"}) {
    refused(twice + grown + " %}{% endfor %}{{ ns.s }}", ErrorCode::kOutOfMemory);
  }
  refused("{% set s %}{{ 'x' * 15000000 }}{% endset %}{{ s }}{{ s }}", ErrorCode::kOutOfMemory);
  refused(
      "{% set x = 'x' * 15000000 %}" + repeated("{% set y", 1) + " = [x ~ 1, x ~ 2, x ~ 3, x ~ 4, x ~ 5] %}",
      ErrorCode::kOutOfMemory);
  refused("{% set x = 'x' * 15000000 %}{{ x | list }}", ErrorCode::kOutOfMemory);
  refused("{% set x = 'ab' * 7500000 %}{{ x.split('a') }}", ErrorCode::kOutOfMemory);
  refused("{{ 'a' | center(9223372036854775807) }}", ErrorCode::kOutOfMemory);
  refused("{{ 'a'.ljust(9223372036854775807, 'ä') }}", ErrorCode::kOutOfMemory);
  refused("{{ 'a'.zfill(9223372036854775807) }}", ErrorCode::kOutOfMemory);
  refused("{{ 'a\nb' | indent(9223372036854775807) }}", ErrorCode::kOutOfMemory);
  refused("{{ [1] | tojson(indent=9223372036854775807) }}", ErrorCode::kOutOfMemory);
  refused("{{ [1] | batch(9223372036854775807, 'x') | list }}", ErrorCode::kOutOfMemory);
  refused("{{ 's' | slice(9223372036854775807) | list }}", ErrorCode::kOutOfMemory);
  refused("{% set x = 'x ' * 8000000 %}{{ x | wordwrap(1, wrapstring=x) }}", ErrorCode::kOutOfMemory);
  refused("{% set x = '<' * 8000000 %}{{ {x: x} | xmlattr }}", ErrorCode::kOutOfMemory);
  refused("{% set x = 'ä' * 4000000 %}{{ x | urlencode }}", ErrorCode::kOutOfMemory);
  refused("{{ '\t'.expandtabs(9223372036854775807) }}", ErrorCode::kOutOfMemory);
  refused("{% set x = [0] * 100000 %}{% for i in x %}{{ x | pprint }}{% endfor %}", ErrorCode::kOutOfMemory);
  refused("{% set x = range(100000) | list %}{% for i in x %}{{ x | groupby(none) | length }}{% endfor %}",
          ErrorCode::kOutOfMemory);
  refused("{{ '%*d' % (9223372036854775807, 1) }}", ErrorCode::kUnsupported);
  refused("{{ '%*d' % (-9223372036854775807 - 1, 1) }}", ErrorCode::kUnsupported);
  refused("{{ '{:>9223372036854775807}'.format(1) }}", ErrorCode::kUnsupported);
  refused("{{ '{:.9223372036854775807f}'.format(1) }}", ErrorCode::kUnsupported);
  refused("{{ '%9223372036854775807d' % 1 }}", ErrorCode::kUnsupported);
  refused("{{ '%.9223372036854775807f' % 1 }}", ErrorCode::kUnsupported);
}

TEST_CASE("values cannot nest without bound") {
  const std::string nest = "{% set ns = namespace(v=1) %}{% for i in range(100000) %}{% set ns.v = ";
  for (const char* deeper : {"[ns.v]", "(ns.v,)", "{'a': ns.v}", "[[ns.v]] | list", "dict(a=ns.v)"}) {
    refused(nest + deeper + " %}{% endfor %}{{ ns.v }}", ErrorCode::kOutOfMemory);
  }
}

TEST_CASE("traversal of values with shared parts is bounded", "[slow]") {
  const std::string shared =
      "{% set ns = namespace(v=[1], w=[1]) %}{% for i in range(60) %}"
      "{% set ns.v = [ns.v, ns.v] %}{% set ns.w = [ns.w, ns.w] %}{% endfor %}";
  for (const char* walk : {"ns.v", "ns.v | tojson", "ns.v == ns.w", "ns.v < ns.w", "ns.v in [ns.w]",
                           "ns.v ~ ''", "[ns.v, ns.w] | sort", "[ns.v, ns.w] | max", "ns.v | join"}) {
    refused(shared + "{{ " + walk + " }}", ErrorCode::kOutOfMemory);
  }
}

TEST_CASE("namespaces that hold themselves are freed and harmless") {
  CHECK(render("{% set ns = namespace() %}{% set ns.a = ns %}{{ ns.a.a.a is defined }}").value() == "True");
  CHECK(render("{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns == ns.a[0] }}").value() == "True");
  CHECK(
      render(
          "{% set ns = namespace() %}{% for x in [1] %}{% macro m() %}{{ x }}{% endmacro %}{% set ns.m = m %}"
          "{% set ns.l = loop %}{% set y = ns %}{% endfor %}{{ ns.m() }}{{ ns.l.index }}")
          .value() == "11");
  CHECK(render("{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns.a }}").value() ==
        "[<Namespace {'a': [<Namespace {...}>]}>]");
  refused(
      "{% set ns = namespace() %}{% for i in range(50000) %}{% set ns.a = namespace(b=ns.a) %}{% endfor %}"
      "{{ ns }}",
      ErrorCode::kOutOfMemory);
  refused(
      "{% set ns = namespace() %}{% for i in range(100000) %}{% for j in range(100) %}"
      "{% set ns.a = namespace(b=ns.a) %}{% endfor %}{% endfor %}",
      ErrorCode::kOutOfMemory);
}

TEST_CASE("searching takes linear time") {
  const std::string start = "{% set a = 'a' * 8000000 %}{% set b = 'a' * 4000000 ~ 'b' %}";
  CHECK(render(start +
               "{{ b in a }}{{ a.find(b) }}{{ a.rfind('b' ~ b) }}{{ a.count(b) }}{{ a.split(b) | length }}"
               "{{ a.rsplit(b) | length }}{{ a.replace(b, '') | length }}")
            .value() == "False-1-10118000000");
}

TEST_CASE("many definitions are bounded") {
  refused(
      "{% for i in range(100000) %}{% for j in range(100) %}{% macro m() %}{% endmacro %}{% endfor %}{% "
      "endfor %}",
      ErrorCode::kOutOfMemory);
  const std::string name(10'000, 'n');
  refused(
      "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% for j in range(100) %}"
      "{% set ns.l = [ns.l, " +
          name + "] %}{% endfor %}{% endfor %}",
      ErrorCode::kOutOfMemory);
}

}  // namespace
}  // namespace partita::internal::test
