"""The page of skincheck evaluate --report in a real browser: it opens from disk, every plot is drawn, nothing
is asked of the network. Skipped where there is no Chromium."""

import base64
import html.parser
import os
import random
import shutil
import socketserver
import subprocess
import threading

import harness
from harness import PATIENCE, SkincheckTest
from images import drawn, read_png, with_orientation

SECTIONS = [
    "key-figures", "figures", "curves", "calibration", "scores", "confusion", "sweep", "operating-points",
    "groups", "misses", "left-out", "guide", "provenance",
]  # fmt: skip
PLOTS = [
    "plot-roc", "plot-precision-recall", "plot-calibration", "plot-histogram-malignant",
    "plot-histogram-benign", "plot-sweep", "plot-groups-1",
]  # fmt: skip
BLUE = (0x00, 0x72, 0xB2)  # of lines and bars in report.css, in light and in print
ORANGE = (0xC4, 0x4E, 0x00)
HOSTILE = "<img src=x onerror=alert(1)>"  # would be an element whose source is no data


def browser() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Proxy(socketserver.ThreadingTCPServer):
    """All that the browser asks of any network comes here. It is noted and refused."""

    daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline(4096).decode("latin-1")
            self.server.requests.append(line.split(" ")[1] if line.count(" ") else line)
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.requests: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()


class Elements(html.parser.HTMLParser):
    """What the tests look at in a page: ids by element, and the headings' levels."""

    def __init__(self, page: str):
        super().__init__()
        self.ids: dict[str, list[str]] = {}
        self.headings: list[int] = []
        self.sources: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        attributes = dict(attrs)
        if "id" in attributes:
            self.ids.setdefault(tag, []).append(attributes["id"])
        if tag in ("h1", "h2", "h3", "h4"):
            self.headings.append(int(tag[1]))
        if "src" in attributes:
            self.sources.append(attributes["src"])


class Browser(SkincheckTest):
    def setUp(self) -> None:
        super().setUp()
        self.browser = browser()
        if self.browser is None:
            self.skipTest("there is no Chromium here; Debian's package is chromium")
        self.proxy = Proxy()
        self.addCleanup(self.proxy.end)
        self.runs = 0

    def browse(self, name: str, *options: str) -> tuple[str, list[str]]:
        """What the browser wrote, and what it asked of the network for this page."""
        self.runs += 1
        before = len(self.proxy.requests)
        done = subprocess.run(
            [
                self.browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--disable-extensions", "--hide-scrollbars",
                f"--user-data-dir={self.path(f'profile-{self.runs}')}",
                f"--proxy-server=http://127.0.0.1:{self.proxy.server_address[1]}",
                "--proxy-bypass-list=<-loopback>",
                *options, "file://" + self.path(name),
            ],
            cwd=self.folder,
            env={**os.environ, "HOME": self.folder},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )  # fmt: skip
        self.assertEqual(0, done.returncode, done.stderr.decode(errors="replace")[-2000:])
        return done.stdout.decode(), self.proxy.requests[before:]

    def of_pages(self, requests: list[str]) -> list[str]:
        """Without those that Chromium makes on its own account, whatever it shows."""
        own = (".google.com", ".googleapis.com", ".gvt1.com", "clients2.google.com")
        hosts = [request.removeprefix("http://").split("/")[0].split(":")[0] for request in requests]
        return [host for host in hosts if not ("." + host).endswith(own)]

    def make_report(self) -> None:
        """Sixty drawn cases, and a hostile name; the scores tell the kinds apart, but not quite."""
        draw = random.Random(4)
        truth, results = ["image,label,sex"], ["path,status,malignancy,label,threshold,model,error"]
        for number in range(60):
            malignant = number % 3 == 0
            score = min(0.999, max(0.001, draw.gauss(0.6 if malignant else 0.35, 0.2)))
            label, sex = "malignant" if malignant else "benign", draw.choice(["female", "male"])
            truth.append(f"case_{number},{label},{sex}")
            results.append(f"images/case_{number}.jpg,ok,{score:.6f},,0.5,drawn@0123456789ab,")
        results.append(f"{HOSTILE},ok,0.9,,0.5,drawn@0123456789ab,")
        self.write("truth.csv", "\n".join(truth) + "\n")
        self.write("results.csv", "\n".join(results) + "\n")
        picture = with_orientation(drawn(".jpg", 64, 48), 6)
        for number in range(60):
            self.write(f"images/case_{number}.jpg", picture)
        self.assert_ok(
            self.run_skincheck(
                "evaluate", "--truth", "truth.csv", "--id-column", "image", "--label-column", "label",
                "--positive", "malignant", "--by", "sex", "--target-sensitivity", "0.95", "--bootstrap", "50",
                "--images", "images", "--report", "report.html", "results.csv",
            )
        )  # fmt: skip

    def test_every_section_and_plot_is_there(self):
        self.make_report()
        page, _ = self.browse("report.html", "--dump-dom")
        elements = Elements(page)
        self.assertEqual(SECTIONS, elements.ids["section"])
        self.assertEqual(PLOTS, elements.ids["svg"])
        self.assertEqual(1, elements.headings[0])
        self.assertNotIn(1, elements.headings[1:])
        for before, after in zip(elements.headings, elements.headings[1:]):
            self.assertLessEqual(after, before + 1)
        self.assertTrue(elements.sources)
        for source in elements.sources:
            self.assertTrue(source.startswith("data:image/jpeg;base64,"), source[:40])
            self.assertNotIn(b"Exif", base64.b64decode(source.partition(",")[2]))

    def test_it_is_drawn(self):
        self.make_report()
        for link, colours in (("#curves", {BLUE}), ("#scores", {BLUE, ORANGE})):
            # A page of its own whose window is the part that is to be seen.
            page = self.read("report.html").decode()
            section = page.index(f'<section id="{link[1:]}"')
            part = page[section : page.index("</section>", section)]
            head = page[: page.index("<body>")]
            self.write("part.html", head + "<body>" + part + "</section></body></html>")
            self.browse("part.html", "--window-size=600,500", f"--screenshot={self.path('part.png')}")
            seen = {pixel for row in read_png(self.read("part.png"))[::2] for pixel in row}
            self.assertLessEqual(colours, seen, link)

    def test_no_request_leaves_the_page(self):
        self.make_report()
        _, requests = self.browse("report.html", "--dump-dom")
        self.assertEqual([], self.of_pages(requests))

    def test_a_request_would_have_been_seen(self):
        self.write("other.html", '<!DOCTYPE html><title>t</title><img src="http://seen.invalid/x" alt="">')
        _, requests = self.browse("other.html", "--dump-dom")
        self.assertEqual(["seen.invalid"], self.of_pages(requests))

    def test_it_can_be_printed(self):
        self.make_report()
        self.browse("report.html", "--no-pdf-header-footer", f"--print-to-pdf={self.path('report.pdf')}")
        self.assertTrue(self.read("report.pdf").startswith(b"%PDF-"))


if __name__ == "__main__":
    harness.main()
