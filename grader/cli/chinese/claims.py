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
    " (or: {other}": "（或：{other}",
    "; and {count} more ways)": "；另有 {count} 种可能)",
}
