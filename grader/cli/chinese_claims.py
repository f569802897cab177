"""Chinese for the findings about a report of the command line, by the English source."""

from __future__ import annotations

from typing import Final

CLAIMS: Final = {
    "--test-size, --public and --private belong together": (
        "--test-size、--public 和 --private 必须一起给出"
    ),
    "name a report, --measured or --test-size; see --help": (
        "请给出报告、--measured 或 --test-size；参见 --help"
    ),
    "{claim!r} is not of the form metric=value": "{claim!r} 不是 指标=数值 的形式",
    "the report holds no class table and no confusion matrix that could be read": (
        "报告中没有可读的分类表或混淆矩阵"
    ),
    "--measured needs a --claim or --claims-file to hold against it": (
        "--measured 需要配合 --claim 或 --claims-file"
    ),
    "--measured is no JSON of a score: {error}": "--measured 不是分数的 JSON：{error}",
    "--measured holds no score": "--measured 中没有分数",
    "Ranking by {metric}: claimed {claimed}; by the tables {true}": (
        "按 {metric} 排名：声明 {claimed}；按表格 {true}"
    ),
    "{one} and {other}: the 95% intervals of their accuracies overlap": (
        "{one} 与 {other}：准确率的 95% 区间重叠"
    ),
    "Claims without a table to hold them against: {names}": "没有表格可核对的声明：{names}",
    "No round split of the test set allows both scores.": (
        "没有任何整数比例的划分能同时给出两个分数。"
    ),
    "Of the round splits only one fits both scores:": "整数比例的划分中只有一个符合两个分数：",
    "{public}/{private}: {right}/{n} and {private_right}/{private_n} right": (
        "{public}/{private}：答对 {right}/{n} 与 {private_right}/{private_n}"
    ),
    ", if the digits were cut off, not rounded": "，前提是数字被截断而非四舍五入",
    "  public − private: {drop:+.2f} points, z = {z:.2f}: {noise}": (
        "  公开 − 私有：{drop:+.2f} 个百分点，z = {z:.2f}：{noise}"
    ),
    "within noise": "在噪声范围内",
    "more than noise": "超出噪声",
    "{name} (line {line}, {classes} classes, {images} images)": (
        "{name}（第 {line} 行，{classes} 类，{images} 张图片）"
    ),
    "The table's own last rows: {finding}": "表格自己的末行：{finding}",
    "Line {line}: its figures do not go together.": "第 {line} 行：数字互相矛盾。",
    "Over all {classes} classes: precision {precision}, recall {recall}, F1 {f1}; "
    "accuracy {accuracy:.4f} (95% {low:.3f}–{high:.3f})": (
        "全部 {classes} 类：精确率 {precision}，召回率 {recall}，F1 {f1}；"
        "准确率 {accuracy:.4f}（95% {low:.3f}–{high:.3f}）"
    ),
    "{metric}: claimed {claimed}; nothing here measures that": (
        "{metric}：声明 {claimed}；此处无法测得"
    ),
    "{metric}: claimed {claimed}, measured {measured:.4f}: agrees, cut off": (
        "{metric}：声明 {claimed}，实测 {measured:.4f}：相符（截断）"
    ),
    "{metric}: claimed {claimed}, measured {measured:.4f}: agrees": (
        "{metric}：声明 {claimed}，实测 {measured:.4f}：相符"
    ),
    "{metric}: claimed {claimed}, measured {measured:.4f}: {reason}": (
        "{metric}：声明 {claimed}，实测 {measured:.4f}：{reason}"
    ),
    "no known mistake reproduces it": "没有已知的错误能重现它",
    " (or: {other}": "（或：{other}",
    "; and {count} more ways)": "；另有 {count} 种可能)",
    # the known mistakes (grader.claims.SENTENCES)
    "it is in percent, where a fraction is expected": "写成了百分数，应为小数",
    "it is the score on the public split, not on the whole test": (
        "这是公开部分的分数，不是测试分数"
    ),
    "it is rounded upward": "向上取整了",
    "it is the average weighted by the images of each class, not the macro average": (
        "这是按各类图片数加权的平均，不是宏平均"
    ),
    "it is the micro average, which is the accuracy, not the macro average": (
        "这是微平均（即准确率），不是宏平均"
    ),
    "it is computed from macro precision and recall, not from the classes' F1": (
        "由宏精确率和宏召回率算出，而不是各类 F1 的平均"
    ),
    "it is the mean over the {classes} classes that have images, not over all": (
        "只对有图片的 {classes} 类取平均，而不是全部类别"
    ),
    "it is the mean over classes 0–{last} only, the first {classes} of {of}": (
        "只对第 0–{last} 类取平均，即 {of} 类中的前 {classes} 类"
    ),
    "the right answers are divided by {size} ({name}), not by {of}": (
        "答对数除以了 {size}（{name}），而不是 {of}"
    ),
    "as if the last batch were left out (batch size {batch}: {right} of its {images} right)": (
        "好像漏掉了最后一个批次（批大小 {batch}：其 {images} 张中答对 {right} 张）"
    ),
    "as if the right answers of the last batch were not counted "
    "(batch size {batch}: {right} of its {images} right)": (
        "好像没有计入最后一个批次的答对数（批大小 {batch}：其 {images} 张中答对 {right} 张）"
    ),
}
