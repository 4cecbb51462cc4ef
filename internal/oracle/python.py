"""Answers for generated programs, as Python 3.11 gives them.

Reads one JSON object per line: {"id", "source", "variables"?}. The source is Python that uses the helpers below for the
statements that Python does not have. Writes one JSON object per line: {"id", "result"} or {"id", "error"}; the error is
the message where the language fixes it word by word, and empty where any message will do.

Expressions are real Python expressions. They are rewritten before they run, because the language differs from Python
in a few places: integers are 64 bits wide, tuples and views are lists, `is` compares values, `d.name` reads a key.
"""

import ast
import copy
import json
import math
import re
import resource
import signal
import sys
import warnings

warnings.simplefilter("ignore")
sys.set_int_max_str_digits(0)

LOWEST, HIGHEST = -(2**63), 2**63 - 1
LONGEST = 1 << 20
MOST_BYTES = 1 << 30
MOST_SECONDS = 5
ANY_ERROR = "<any message>"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)
WHOLE = re.compile(r"[+-]?\d+\Z", re.ASCII)
BLANKS = " \t\n\r\f\v"


class Failure(Exception):
    """An error of the language whose message is fixed."""


class Refused(Exception):
    """An error of the language whose message is free."""


class Unanswerable(Exception):
    """The program leaves the part of the language that maps to Python; it must not become a golden answer."""


def narrow(value):
    if isinstance(value, int) and not LOWEST <= value <= HIGHEST:
        raise Refused("integer overflow")
    return value


def is_int(value):
    return isinstance(value, int)


def add(a, b):
    if isinstance(a, (str, list)) and isinstance(b, (str, list)) and len(a) + len(b) > LONGEST:
        raise Unanswerable("too long")
    return narrow(a + b)


def sub(a, b):
    return narrow(a - b)


def mul(a, b):
    for text, times in ((a, b), (b, a)):
        if isinstance(text, (str, list)) and is_int(times) and len(text) * times > LONGEST:
            raise Unanswerable("too long")
    return narrow(a * b)


def div(a, b):
    if isinstance(b, (int, float)) and isinstance(a, (int, float)) and b == 0:
        raise Failure("division by zero")
    return a / b


def mod(a, b):
    if isinstance(a, (int, float)) and isinstance(b, (int, float)) and b == 0:
        raise Failure("division by zero")
    return narrow(a % b)


def power(a, b):
    if is_int(a) and is_int(b) and abs(a) > 1 and b > 64:
        raise Refused("integer overflow")
    value = a**b
    if isinstance(value, complex):
        raise Refused("complex")
    return narrow(value)


def shift_left(a, b):
    if is_int(a) and is_int(b) and a != 0 and b > 64:
        raise Refused("integer overflow")
    return narrow(a << b)


def shift_right(a, b):
    return a >> b


OPERATORS = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Mod: "mod",
    ast.Pow: "power",
    ast.LShift: "shift_left",
    ast.RShift: "shift_right",
}


def same(a, b):
    if isinstance(a, (list, dict)) or isinstance(b, (list, dict)):
        return a is b
    return type(a) is type(b) and a == b


def negate(a):
    return narrow(-a)


# Builtins: views and pairs are lists, numbers stay within 64 bits, text counts as a number by the language's rule.


def rows(value):
    if isinstance(value, dict):
        return list(value)
    if isinstance(value, (list, str)):
        return list(value)
    raise Refused("not iterable")


def avap_int(value=0, base=None):
    if base is not None:
        return narrow(int(value, base))
    if isinstance(value, str):
        text = value.strip(BLANKS)
        if not WHOLE.match(text):
            raise Refused("not an integer")
        return narrow(int(text))
    return narrow(int(value))


def avap_float(value=0.0):
    if isinstance(value, str):
        text = value.strip(BLANKS)
        if not NUMBER.match(text):
            raise Refused("not a number")
        return float(text)
    return float(value)


def avap_range(*bounds):
    values = range(*bounds)
    if len(values) > LONGEST:
        raise Unanswerable("too long")
    return list(values)


def avap_round(value, digits=None):
    return narrow(round(value) if digits is None else round(value, digits))


def avap_sum(values, start=0):
    if isinstance(start, str):
        raise Refused("sum of text")
    total = start
    for value in rows(values):
        total = add(total, value)
    return total


def listed(value):
    return [list(row) if isinstance(row, tuple) else row for row in value]


TYPE_WORDS = {"int": int, "float": float, "str": str, "bool": bool, "list": list, "dict": dict}


def avap_isinstance(value, words):
    words = words if isinstance(words, (list, tuple)) else [words]
    return any(isinstance(value, TYPE_WORDS[word]) for word in words)


BUILTINS = {
    "str": lambda value="": str(value),
    "int": avap_int,
    "float": avap_float,
    "bool": lambda value=False: bool(value),
    "len": len,
    "list": lambda value=(): list(value),
    "dict": lambda value=(): dict(value),
    "range": avap_range,
    "abs": lambda value: narrow(abs(value)),
    "min": min,
    "max": max,
    "sum": avap_sum,
    "round": avap_round,
    "sorted": sorted,
    "enumerate": lambda value, start=0: [[n, row] for n, row in enumerate(value, start)],
    "zip": lambda *values: listed(zip(*values)),
    "any": any,
    "all": all,
    "type": lambda value: type(value).__name__,
    "isinstance": avap_isinstance,
}

METHODS = {
    str: """upper lower strip lstrip rstrip split join replace startswith endswith find count isdigit isalpha isalnum
            title capitalize zfill format""".split(),
    list: "append extend insert pop remove index count sort reverse".split(),
    dict: "get keys values items update pop".split(),
}


def method(value, name, *arguments, **options):
    if name == "extend" and isinstance(value, list) and len(value) > LONGEST:
        raise Unanswerable("too long")
    if name not in METHODS.get(type(value), ()):
        raise Refused("no such method")
    if name in ("startswith", "endswith") and isinstance(arguments[0], list):
        arguments = (tuple(arguments[0]), *arguments[1:])
    if name == "pop" and isinstance(value, dict):
        hash(arguments[0])  # Python does not look at the key when the dict is empty
    if name == "sort":
        try:
            return value.sort(*arguments, **options)
        except TypeError:
            raise Unanswerable("what a sort that failed leaves behind") from None
    if name in ("keys", "values", "items"):
        return listed(getattr(value, name)())
    return getattr(value, name)(*arguments, **options)


def attribute(value, name):
    if isinstance(value, dict) and name not in METHODS[dict] and name in value:
        return value[name]
    raise Refused("no such attribute")


# Statements.


def number_of(value):
    """The number that a value counts as in a condition, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, str):
        text = value.strip(BLANKS)
        if WHOLE.match(text):
            return int(text)
        if NUMBER.match(text):
            return float(text)
    return None


def condition_equal(a, b):
    left, right = number_of(a), number_of(b)
    if left is not None and right is not None:
        return left == right
    if isinstance(a, bool) or isinstance(b, bool):
        return isinstance(a, bool) and isinstance(b, bool) and a == b
    if a is None or b is None:
        return a is None and b is None
    return type(a) is type(b) and a == b


def condition(a, b, operator):
    if operator in ("=", "=="):
        return condition_equal(a, b)
    if operator == "!=":
        return not condition_equal(a, b)
    if operator == "in":
        if isinstance(b, (list, dict)):
            return any(condition_equal(a, item) for item in b)
        if isinstance(b, str):
            return str(a) in b
        raise Unanswerable("in")
    left, right = number_of(a), number_of(b)
    if left is None or right is None:
        if isinstance(a, bool) or isinstance(b, bool):
            raise Unanswerable("ordered truth values")
        raise Refused("not a number")
    return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[operator]


def bound(value):
    if isinstance(value, bool) or value is None:
        raise Refused("bound")
    if isinstance(value, str):
        if not WHOLE.match(value.strip(BLANKS)):
            raise Refused("bound")
        return narrow(int(value))
    return narrow(int(value))


def turns(first, last):
    first, last = bound(first), bound(last)
    if last - first > LONGEST:
        raise Unanswerable("too long")
    return range(first, last + 1)


def stored(value):
    """What addVar makes of a value."""
    if isinstance(value, str) and re.match(r"[0-9]+\Z", value) and int(value) <= HIGHEST:
        return int(value)
    return value


def literal_in(text):
    return isinstance(text, str) and text.strip()[:1] in ("[", "{")


def length(value):
    """getListLen: text that holds a list counts the list's items."""
    if literal_in(value):
        raise Unanswerable("a literal in text")
    return len(value)


def item(value, index):
    """itemFromList."""
    if literal_in(value):
        raise Unanswerable("a literal in text")
    if not isinstance(value, list):
        raise Refused("not a list")
    return value[index]


def with_item(value, new):
    """What variableToList leaves in its target."""
    if not isinstance(value, list):
        value = []
    if new is not None:
        value.append(new)
    return value


def with_member(value, key, new):
    """What AddvariableToJSON leaves in its target."""
    if not isinstance(value, dict):
        value = {}
    value[key] = new
    return value


def raised(text):
    raise Failure(text)


def message_of(error):
    if isinstance(error, (Unanswerable, MemoryError)):
        raise Unanswerable("too long")
    if isinstance(error, Failure):
        return str(error)
    if isinstance(error, NameError) and not isinstance(error, UnboundLocalError):
        return re.sub(r"\. Did you mean.*", "", str(error))
    if isinstance(error, IndexError) and str(error) == "list index out of range":
        return str(error)
    return ""


def caught(error):
    return message_of(error) or ANY_ERROR


class Rewriter(ast.NodeTransformer):
    """Turns Python's meaning of an expression into the language's."""

    def visit_BinOp(self, node):
        name = OPERATORS.get(type(node.op))
        keep = isinstance(node.op, ast.Mod) and isinstance(node.right, ast.Tuple)
        left = self.visit(node.left)
        right = self.tuple(node.right) if keep else self.visit(node.right)
        if name is None:
            return ast.BinOp(left, node.op, right)
        return call(name, left, right)

    def tuple(self, node):
        return ast.Tuple([self.visit(item) for item in node.elts], ast.Load())

    def refuse(self, node):
        raise Refused(type(node).__name__)

    visit_Set = visit_SetComp = visit_GeneratorExp = visit_Lambda = visit_NamedExpr = visit_Starred = refuse
    visit_Await = visit_Yield = refuse

    def visit_Dict(self, node):
        return self.refuse(node) if None in node.keys else self.generic_visit(node)

    def visit_Tuple(self, node):
        if not node.elts:
            return self.refuse(node)
        if isinstance(node.ctx, ast.Store):
            return node
        return ast.List([self.visit(item) for item in node.elts], ast.Load())

    def visit_UnaryOp(self, node):
        if not isinstance(node.op, ast.USub):
            return self.generic_visit(node)
        if isinstance(node.operand, ast.Constant) and node.operand.value == 2**63:
            return ast.Constant(LOWEST)
        return call("negate", self.visit(node.operand))

    def visit_Constant(self, node):
        if is_int(node.value) and not isinstance(node.value, bool) and node.value > HIGHEST:
            raise Refused("literal")
        return node

    def visit_Compare(self, node):
        if isinstance(node.ops[0], (ast.Is, ast.IsNot)):
            if len(node.ops) > 1:
                raise Unanswerable("chained is")
            value = call("same", self.visit(node.left), self.visit(node.comparators[0]))
            return value if isinstance(node.ops[0], ast.Is) else ast.UnaryOp(ast.Not(), value)
        return self.generic_visit(node)

    def visit_Attribute(self, node):
        return call("attribute", self.visit(node.value), ast.Constant(node.attr))

    def visit_AugAssign(self, node):
        name = OPERATORS[type(node.op)]
        if isinstance(node.target, ast.Name):
            read = ast.Name(node.target.id, ast.Load())
            value = call("augmented", ast.Constant(name), read, self.visit(node.value))
            return ast.Assign([node.target], value)
        container, key = self.visit(node.target.value), self.visit(node.target.slice)
        return ast.Expr(call("update_item", container, key, ast.Constant(name), thunk(self.visit(node.value))))

    def visit_Call(self, node):
        options = [ast.keyword(option.arg, self.callee(option)) for option in node.keywords]
        if isinstance(node.func, ast.Attribute):
            arguments = [self.visit(argument) for argument in node.args]
            name = ast.Constant(node.func.attr)
            return call("method", self.visit(node.func.value), name, *arguments, options=options)
        if node.func.id == "isinstance" and len(node.args) == 2:
            return call("isinstance", self.visit(node.args[0]), type_words(node.args[1]))
        return call(node.func.id, *[self.visit(argument) for argument in node.args], options=options)

    def callee(self, option):
        return option.value if option.arg == "key" else self.visit(option.value)


def type_words(node):
    if isinstance(node, (ast.Tuple, ast.List)):
        return ast.List([type_words(item) for item in node.elts], ast.Load())
    return ast.Constant(node.id) if isinstance(node, ast.Name) else node


def augmented(name, before, value):
    """What `before op= value` stores: a list is changed in place."""
    if isinstance(before, list) and name == "add":
        add(before, list(value))  # for its length
        before += value
        return before
    if isinstance(before, list) and name == "mul" and is_int(value):
        mul(before, value)
        before *= value
        return before
    return globals()[name](before, value)


def update_item(container, key, name, value):
    before = container[key]
    container[key] = augmented(name, before, value())


def thunk(node):
    nothing = ast.arguments([], [], None, [], [], None, [])
    return ast.Lambda(nothing, node)


def call(name, *arguments, options=()):
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), list(options))


HELPERS = """add sub mul div mod power shift_left shift_right same negate method attribute augmented update_item condition turns
             stored raised caught length item with_item with_member""".split()


def run(source, variables):
    results = {}
    names = dict(variables)
    names.update({"true": True, "false": False, "null": None, "__builtins__": {"Exception": Exception}})
    names.update(BUILTINS)
    names.update({name: globals()[name] for name in HELPERS})

    def result(name, value=None):
        results[name] = copy.deepcopy(value)

    names["result"] = result
    tree = ast.fix_missing_locations(Rewriter().visit(ast.parse(source)))
    exec(compile(tree, "program", "exec"), names)
    return results


def plain(value):
    """Infinities and NaN become null, as in an answer."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        keys = [json.dumps({key: 0}) for key in value]
        if len(set(keys)) != len(keys):
            raise Unanswerable("keys that collide in JSON")
        return {key: plain(item) for key, item in value.items()}
    return value


def answer(request):
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    try:
        return {"result": plain(run(request["source"], request.get("variables", {})))}
    except (Unanswerable, MemoryError):
        return {"unanswerable": True}
    except SyntaxError:
        return {"error": ""}
    except Exception as error:
        return {"error": message_of(error)}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def out_of_time(*_):
    raise Unanswerable("too slow")


def main():
    signal.signal(signal.SIGALRM, out_of_time)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    for line in sys.stdin:
        request = json.loads(line)
        reply = {"id": request["id"], **answer(request)}
        print(json.dumps(reply, ensure_ascii=False))


main()
