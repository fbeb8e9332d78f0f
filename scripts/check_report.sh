#!/usr/bin/env bash
# Looks at a report of `mergeproof audit` in a real browser, at the widths of telephones and desks, light and dark: nothing may scroll sideways but what has a
# container of its own, all text must have a contrast of 4.5 (WCAG AA) on what it stands on, texts of drawings must neither overlap nor be cut off, and
# nothing may be printed beyond the paper. Takes screenshots and prints a PDF.
#   scripts/check_report.sh REPORT.html OUT_DIR
set -euo pipefail
cd "$(dirname "$0")/.." && root=$PWD && cd "$OLDPWD"

[ $# -eq 2 ] || { echo "usage: scripts/check_report.sh REPORT.html OUT_DIR" >&2; exit 64; }
[ -f "$1" ] || { echo "check_report: there is no file $1" >&2; exit 1; }
report=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")

missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v tidy >/dev/null || missing+=(tidy)
command -v pdftotext >/dev/null || missing+=(poppler-utils)
[ ${#missing[@]} -eq 0 ] || "$root/scripts/prepare.sh" "${missing[@]}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
complain() { echo "check_report: $*" >&2; failed=1; }

browser() { # ARGUMENT...: quiet, without a window; the sandbox cannot be had as root.
    chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/profile" "$@" 2>/dev/null
}

# The markup, by a checker of HTML.
tidy -q -e --show-info no --drop-empty-elements no "$report" 2>"$work/tidy" || true
# Titles of drawings have ids, by which they are named; it knows titles of pages alone.
if grep -v '<title> proprietary attribute "id"' "$work/tidy"; then complain "tidy finds fault with the markup"; fi

# A copy that looks at itself and tells the page around it; the report itself forbids scripts.
cat >"$work/look.js" <<'END'
<script>
addEventListener("load", () => {
    const faults = [];
    const parse = text => (text.match(/[\d.]+/g) || []).map(Number);
    const light = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const ground = element => {
        for (let e = element; e; e = e.parentElement) {
            const color = parse(getComputedStyle(e).backgroundColor);
            if (color.length === 3) return color;
        }
        return [255, 255, 255];
    };
    const pairs = new Map();
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node; (node = texts.nextNode());) {
        const element = node.parentElement;
        if (!node.data.trim() || element.closest("script, title, desc")) continue;
        const style = getComputedStyle(element);
        const [a, b] = [element.closest("svg") ? style.fill : style.color, ground(element)];
        const [l, m] = [light(parse(a)), light(b)].sort((x, y) => y - x);
        pairs.set(a + " on rgb(" + b + ")", (l + 0.05) / (m + 0.05));
    }
    for (const [pair, ratio] of pairs) if (ratio < 4.5) faults.push("contrast " + ratio.toFixed(2) + " of " + pair);
    const root = document.documentElement;
    if (root.scrollWidth > innerWidth) {
        faults.push("scrolls sideways: " + root.scrollWidth + " in " + innerWidth);
        for (const e of document.body.querySelectorAll("*"))
            if (!e.closest(".scroll") && e.getBoundingClientRect().right > innerWidth + 0.5) faults.push("too wide: " + e.tagName + " " + e.className);
    }
    let smallest = 99;
    for (const svg of document.querySelectorAll("svg")) {
        const frame = svg.getBoundingClientRect();
        const boxes = [...svg.querySelectorAll("text")].map(t => ({ name: t.textContent, box: t.getBoundingClientRect() }));
        smallest = Math.min(smallest, frame.width / svg.viewBox.baseVal.width * 12);
        boxes.forEach(({ name, box }, i) => {
            if (box.left < frame.left - 1 || box.right > Math.max(frame.right, 0) + 1) faults.push("cut off: " + name);
            for (const other of boxes.slice(i + 1)) {
                const wide = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
                const high = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
                if (wide > 1 && high > 3) faults.push("overlap: " + name + " and " + other.name);
            }
        });
    }
    if (smallest < 9) faults.push("text of drawings has " + smallest.toFixed(1) + " pixels");
    parent.postMessage({ height: root.scrollHeight, pairs: pairs.size, least: Math.min(...pairs.values()), faults }, "*");
});
</script>
END
sed -e '/http-equiv="Content-Security-Policy"/d' -e "/<\/body>/{
r $work/look.js
N
}" "$report" >"$work/copy.html"
grep -q "<script>" "$work/copy.html" || complain "the copy has no script"

frame() { # WIDTH HEIGHT PAGE: a page with another in a frame of that size, since no window is narrower than 500 pixels.
    cat <<END
<!DOCTYPE html><meta charset="utf-8"><style>body{margin:0}iframe{border:0;display:block}</style>
<iframe src="file://$3" style="width:$1px;height:$2px"></iframe>
<pre></pre><script>addEventListener("message", e => document.querySelector("pre").textContent = JSON.stringify(e.data))</script>
END
}

for scheme in light dark; do
    [ "$scheme" = dark ] && setting=0 || setting=1
    for size in 320x640 360x740 390x844 768x1024 1280x900; do
        width=${size%x*}
        frame "$width" "${size#*x}" "$work/copy.html" >"$work/frame.html"
        told=$(browser --blink-settings=preferredColorScheme=$setting --window-size=1400,1000 --virtual-time-budget=5000 --dump-dom "file://$work/frame.html" |
            sed -n 's/.*<pre>\(.*\)<\/pre>.*/\1/p')
        echo "$scheme, $width pixels wide: ${told:-nothing was told}"
        case $told in *'"faults":[]'*) ;; *) complain "the page has faults at $width pixels, $scheme" ;; esac
        case $width in 390 | 1280) ;; *) continue ;; esac
        # The whole page, as long as it is, up to what the browser can draw at once.
        height=$(sed -n 's/.*"height":\([0-9]*\).*/\1/p' <<<"$told")
        height=${height:-2000}
        [ "$height" -le 16000 ] || height=16000
        for part in top whole; do
            [ $part = top ] && tall=${size#*x} || tall=$height
            frame "$width" "$tall" "$report" >"$work/frame.html"
            browser --blink-settings=preferredColorScheme=$setting --window-size="$width,$tall" \
                --screenshot="$out/$scheme-$width-$part.png" "file://$work/frame.html" >/dev/null
        done
    done
done

browser --no-pdf-header-footer --print-to-pdf="$out/report.pdf" "file://$report" >/dev/null
pdftotext -bbox "$out/report.pdf" "$work/words.html"
# What is too wide for the paper makes the browser shrink all of it: the page's first words tell.
awk -F'"' '/<page/ { page = $2 } /<word/ { words++; if ($6 > page + 1) beyond++; if (words == 1) tall = $8 - $4 }
    END { printf "print: %d words, %d beyond the paper, the first %.1f points tall\n", words, beyond, tall
          exit !(words > 100 && !beyond && tall > 26) }' "$work/words.html" ||
    complain "what is printed does not fit the paper"

[ $failed -eq 0 ] && echo "check_report: no faults; pictures are in $out"
exit $failed
