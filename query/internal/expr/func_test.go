package expr

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/query/internal/fault"
)

// The wants of this table are what SQLite 3.54 says.
func TestTextAndMathFunctions(t *testing.T) {
	checkFacts(t, []fact{
		{"length('aé日')", "3"},
		{"length('')", "0"},
		{"length(x'c3a9')", "2"},
		{"length(12345)", "5"},
		{"length('a' || char(0) || 'b')", "1"},
		{"length(NULL)", "NULL"},
		{"octet_length('é')", "2"},
		{"octet_length(x'00ff')", "2"},
		{"lower('ÀBC')", "'Àbc'"},
		{"upper('àbc')", "'àBC'"},
		{"lower(12)", "'12'"},
		{"trim('  a b  ')", "'a b'"},
		{"ltrim('xxaxx', 'x')", "'axx'"},
		{"rtrim('xyaxy', 'xy')", "'xya'"},
		{"trim('éaé', 'é')", "'a'"},
		{"trim('abc', '')", "'abc'"},
		{"trim(NULL, 'a')", "NULL"},
		{"trim('a', NULL)", "NULL"},
		{"substr('hello', 2)", "'ello'"},
		{"substr('hello', 2, 3)", "'ell'"},
		{"substr('hello', -3)", "'llo'"},
		{"substr('hello', -3, 2)", "'ll'"},
		{"substr('hello', 0)", "'hello'"},
		{"substr('hello', 0, 2)", "'h'"},
		{"substr('hello', 3, -2)", "'he'"},
		{"substr('hello', 0, -2)", "''"},
		{"substr('hello', -10, 7)", "'he'"},
		{"substr('hello', 10)", "''"},
		{"substr('héllo', 2, 1)", "'é'"},
		{"substr(x'010203', 2, 1)", "X'02'"},
		{"substr(x'010203', -1)", "X'03'"},
		{"substr(12345, 2, 2)", "'23'"},
		{"substr('hello', 2, 9223372036854775807)", "'ello'"},
		{"substr('hello', -9223372036854775807, 3)", "''"},
		{"substr('hello', NULL)", "NULL"},
		{"replace('aXbX', 'X', '--')", "'a--b--'"},
		{"replace('abc', '', 'x')", "'abc'"},
		{"replace('abc', 'b', '')", "'ac'"},
		{"replace('abc', NULL, 'x')", "NULL"},
		{"replace(x'414243', 'B', '-')", "'A-C'"},
		{"instr('hello', 'l')", "3"},
		{"instr('hello', '')", "1"},
		{"instr('hello', 'z')", "0"},
		{"instr('héllo', 'l')", "3"},
		{"instr(x'010203', x'03')", "3"},
		{"instr(NULL, 'a')", "NULL"},
		{"concat('a', NULL, 1, 2.5)", "'a12.5'"},
		{"concat(NULL)", "''"},
		{"concat_ws('-', 'a', NULL, 'b')", "'a-b'"},
		{"concat_ws(NULL, 'a', 'b')", "NULL"},
		{"concat_ws('', 1, 2)", "'12'"},
		{"hex('abc')", "'616263'"},
		{"hex(x'00ff')", "'00FF'"},
		{"hex(12)", "'3132'"},
		{"hex(NULL)", "''"},
		{"unhex('616263')", "X'616263'"},
		{"unhex('61-62', '-')", "X'6162'"},
		{"unhex('6')", "NULL"},
		{"unhex('zz')", "NULL"},
		{"unhex('')", "X''"},
		{"quote('it''s')", "'''it''''s'''"},
		{"quote(x'0aff')", "'X''0AFF'''"},
		{"quote(1.5)", "'1.5'"},
		{"quote(NULL)", "'NULL'"},
		{"quote(1e999)", "'9.0e+999'"},
		{"char(65, 233, 26085)", "'Aé日'"},
		{"char()", "''"},
		{"char(-1)", "'�'"},
		{"unicode('é')", "233"},
		{"unicode('')", "NULL"},
		{"typeof(1)", "'integer'"},
		{"typeof(1.0)", "'real'"},
		{"typeof('a')", "'text'"},
		{"typeof(x'')", "'blob'"},
		{"typeof(NULL)", "'null'"},
		{"abs(-5)", "5"},
		{"abs(-2.5)", "2.5"},
		{"abs('-3')", "3.0"},
		{"abs('abc')", "0.0"},
		{"abs(NULL)", "NULL"},
		{"sign(-3)", "-1"},
		{"sign(0.0)", "0"},
		{"sign('2')", "1"},
		{"sign('x')", "NULL"},
		{"ceil(1.2)", "2.0"},
		{"ceil(-1.2)", "-1.0"},
		{"ceil(5)", "5"},
		{"floor(-1.2)", "-2.0"},
		{"trunc(-1.7)", "-1.0"},
		{"floor('2.5')", "2.0"},
		{"ceil('x')", "NULL"},
		{"sqrt(16)", "4.0"},
		{"sqrt(-1)", "NULL"},
		{"sqrt('x')", "NULL"},
		{"pow(2, 10)", "1024.0"},
		{"pow(2, -1)", "0.5"},
		{"power(0, 0)", "1.0"},
		{"exp(0)", "1.0"},
		{"ln(1)", "0.0"},
		// subnormal numbers, of which there are fewer digits the smaller they are
		{"printf('%.6f|%.6f|%.6f|%.6f', ln(1e-320), log(1e-320), log10(1e-320), log2(1e-320))",
			"'-736.827241|-320.000005|-320.000005|-1063.017006'"},
		{"printf('%.6f|%.6f', log(2, 1e-320), log(10, 5e-324))", "'-1063.017006|-323.306215'"},
		{"printf('%.6e|%.6e|%.6e|%.6e', pow(1e-320, 0.1), pow(1e-320, -0.5), pow(1e-320, 1), pow(-1e-320, 3))",
			"'9.999989e-33|1.000006e+160|9.999889e-321|0.000000e+00'"},
		{"pow(1e-320, -2)", "9.0e+999"}, {"pow(-1e-320, -1)", "-9.0e+999"}, {"pow(-1e-320, 0.5)", "NULL"},
		{"pow(1e-320, 0)", "1.0"},
		// the sign of a zero
		{"pow(-0.0, -1)", "-9.0e+999"}, {"pow(-(0.0), -1)", "-9.0e+999"},
		{"pow(CAST('-0' AS REAL), -1)", "-9.0e+999"}, {"pow(abs(-0.0), -1)", "-9.0e+999"},
		{"pow(- -0.0, -1)", "9.0e+999"}, {"pow(-CAST(0 AS REAL), -1)", "9.0e+999"},
		{"quote(-0.0) || ' ' || -0.0", "'0.0 0.0'"}, {"-0.0 = 0.0", "1"},
		{"atan2(0, -0.0) = pi()", "1"}, {"atan2(-1e-310, -5) = -pi()", "1"},
		{"atan2(-0.0, -1) = -pi()", "1"}, {"atan2(1e-310, -5) = pi()", "1"},
		{"quote(atan2(0, 5))", "'0.0'"},
		{"substr(raw, 2)", "X'01'"}, {"substr(x'', 1)", "NULL"}, {"substr('', 1)", "''"},
		{"substr(x'41', 2)", "X''"},
		{"printf('%r %r %r %r %r %r %r %r', 1, 2, 3, 4, 11, 12, 113, 121)", "'1st 2nd 3rd 4th 11th 12th 113th 121st'"},
		{"printf('%+r|%5r|%05r|% r|%-6r|%.3r|%lr|%r', 1, 2, 3, 5, 6, 1, 2, -1)",
			"'+1st|  2nd|003rd| 5th|6th   |1st|2nd|-1st'"},
		{"ln(0)", "NULL"},
		{"log(100)", "2.0"},
		{"log(2, 8)", "3.0"},
		{"log(1, 8)", "NULL"},
		{"log10(1000)", "3.0"},
		{"log2(8)", "3.0"},
		{"log(1e15)", "15.0"},
		{"replace('abc', '', NULL)", "'abc'"},
		{"mod(7, 3)", "1.0"},
		{"mod(-7, 3)", "-1.0"},
		{"mod(7.5, 2)", "1.5"},
		{"mod(1, 0)", "NULL"},
		{"pi() > 3.14159", "1"},
		{"degrees(pi())", "180.0"},
	})
}

// The wants of this table are what SQLite 3.54 says.
func TestPrintf(t *testing.T) {
	checkFacts(t, []fact{
		{"printf('%d|%5d|%-5d|%05d|%+d|% d', 1, 2, 3, 4, 5, 6)", "'1|    2|3    |00004|+5| 6'"},
		{"printf('%,d %,d %,d', 1, 1234, -1234567)", "'1 1,234 -1,234,567'"},
		{"printf('%x %X %o %#x %#o', 255, 255, 8, 255, 8)", "'ff FF 10 0xff 010'"},
		{"printf('%u', -1)", "'18446744073709551615'"},
		{"printf('%.3d', 5)", "'005'"},
		{"printf('%f %.2f %8.3f %-8.1f| %08.2f %+.1f', 1.5, 2.345, 3.14159, 2.5, 3.14159, 2)",
			"'1.500000 2.35    3.142 2.5     | 00003.14 +2.0'"},
		{"printf('%.0f %.0f %#.0f', 0.5, 2.5, 3)", "'1 3 3.'"},
		{"printf('%e %.2e %E', 12345.678, 0.00012345, 1)", "'1.234568e+04 1.23e-04 1.000000E+00'"},
		{"printf('%g %g %g %G', 0.0001, 0.00001, 1234567, 1e-10)", "'0.0001 1e-05 1.23457e+06 1E-10'"},
		{"printf('%.3g %#g', 3.14159, 1)", "'3.14 1.00000'"},
		{"printf('%!.17g %!.3f', 0.1, 2)", "'0.1 2.0'"},
		{"printf('%,.2f', 1234567.891)", "'1,234,567.89'"},
		{"printf('%s|%10s|%-10s|%.2s', 'abc', 'abc', 'abc', 'abc')", "'abc|       abc|abc       |ab'"},
		{"printf('%!5s|%5s', 'é', 'é')", "'    é|   é'"},
		{"printf('%c%c|%3c', 'abc', 'é', 'x')", "'aé|  x'"},
		{"printf('%3c|%-3c|%4.2c', 'é', 'é', 'é')", "'  é|é  |  éé'"},
		{`printf('%q %Q %w', 'it''s', 'it''s', 'a"b')`, `'it''''s ''it''''s'' a""b'`},
		{"printf('%Q %q %s', NULL, NULL, NULL)", "'NULL (NULL) '"},
		{"printf('%*d|%-*d|%.*f', 5, 1, 5, 2, 2, 3.14159)", "'    1|2    |3.14'"},
		{"printf('%%|%5%')", "'%|    %'"},
		{"printf('%d %s', '12abc', 1.5)", "'12 1.5'"},
		{"printf('%d')", "'0'"},
		{"printf('abc %')", "'abc %'"},
		{"printf('abc %y def')", "'abc '"},
		{"printf(NULL)", "NULL"},
		{"printf('%.2f %f', 1e999, -1e999)", "'Inf -Inf'"},
		{"printf('%.1f %.1f %.2f', 0.25, 0.35, 1.005)", "'0.3 0.3 1.00'"},
		{"printf('%lld %li', 1, 2)", "'1 2'"},
		{"printf('%0+12e|%!.2w', 1e999, 'éab')", "'+9.000000e+999|éa'"},
	})
	v, err := runScalar(t, "printf('%.*c', 3, '日')")
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("日", 3), v.S)
}

// Functions that SQLite does not have.
func TestFunctionsOfOurs(t *testing.T) {
	checkFacts(t, []fact{
		{"left('héllo', 2)", "'hé'"}, {"left('a', -1)", "''"}, {"left('a', 9)", "'a'"},
		{"right('héllo', 4)", "'éllo'"}, {"right('a', 0)", "''"}, {"right('a', -1)", "''"},
		{"right('ab', 9)", "'ab'"}, {"left(NULL, 1)", "NULL"},
		{"position('l', 'hello')", "3"}, {"char_length('é')", "1"}, {"ucase('a') || lcase('B')", "'Ab'"},
		{"mid('hello', 2, 2)", "'el'"},
		{"category('order-12')", "'order'"}, {"category('orders')", "'orders'"},
		{"category('a-b-c')", "'a'"}, {"category('-x')", "''"}, {"category(NULL)", "NULL"},
		{"category('0190163d-8694-739b-aea5-966c26f8ad91')", "''"},
		{"category('0190163d-8694-739b-aea5-966c26f8ad9g')", "'0190163d'"},
		{"likely(n)", "10"},
	})
}

// What would be longer than 64 MiB is an error, and not memory.
func TestLongTexts(t *testing.T) {
	checkRefusals(t, []refusal{
		{"replace(printf('%8000d', n), ' ', printf('%9000d', n))", fault.BadValue, "replace", "longer than 64 MiB"},
		{"printf('%67108865d', n)", fault.BadValue, "printf", "longer than 64 MiB"},
		{"printf('%40000000d', n) || printf('%40000000d', n)", fault.BadValue, "printf", "longer than 64 MiB"},
		{"concat(printf('%40000000d', n), printf('%40000000d', n))", fault.BadValue, "concat", "longer than 64 MiB"},
	})
}

func TestRounding(t *testing.T) {
	checkFacts(t, []fact{
		{"round(2.5)", "3.0"}, {"round(-2.5)", "-3.0"}, {"round(0.5)", "1.0"},
		{"round(2.675, 2)", "2.67"}, {"round(0.125, 2)", "0.13"}, {"round(1.005, 2)", "1.0"},
		{"round(99.995, 2)", "100.0"}, {"round(1234.5, -2)", "1235.0"},
		{"round(0.05, 1)", "0.1"}, {"round(0.04, 1)", "0.0"}, {"round('12.345abc', 1)", "12.3"},
		{"round(1e300, 3)", "1.0e+300"}, {"round(5)", "5.0"}, {"round(NULL)", "NULL"},
		{"round(1.5, NULL)", "NULL"}, {"round(0.999, 2)", "1.0"},
	})
}
