"""Every sentence of the benchmark page."""

TITLE = "EftCLIP: the benchmark"
HEAD = "Who finds backdoors, and mends them?"
INTRODUCTION = (
    "The same checkpoints, the same pictures, and tables that you can measure again. Every number is read from a file "
    "that lies beside the code; rates stand with their counts. Click on the head of a column to sort by it. The best "
    "is **bold**, also where it is a rival."
)
BACK = "← Check a checkpoint of your own"
NO_FILES = (
    "This installation has no result files: they lie in the folder `examples/results` of EftCLIP's repository, and the "
    "app shows them when it is started from there with `python app.py`."
)
FAULT = "{} Make it again with the command of its section in `examples/results/README.md`."
ALL = "all"
ALIKE = "All rows: {}."
COLUMNS = "What the columns mean"
MODELS = "Measured on these models"
AGAIN = "Measure it again"
COMMIT = "`{}`, measured at commit `{}`:"
COPY, COPIED = "Copy", "Copied"
FOOT = (
    "IMAGES_DIR is a folder with samples of ImageNet, Caltech-101 and COCO, DIR one with checkpoints of the zoo; both, "
    "and all other measurements, are described in examples/results/README.md. Intervals are of 95 %, and few "
    "photographs make wide ones: where two of them largely overlap, the counts do not say which method is better."
)
LINK = "The benchmark: methods side by side"
