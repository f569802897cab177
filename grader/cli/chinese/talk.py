"""Chinese for every text of the command line, by its English source."""

from __future__ import annotations

from typing import Final

from grader.cli.chinese.claims import CLAIMS
from grader.cli.chinese.help import HELP

TALK: Final = {
    # errors
    "Error: {detail}": "错误：{detail}",
    "Hint: {hint}": "提示：{hint}",
    "line {line}": "第 {line} 行",
    "column {column}": "列 {column}",
    " ({count} times; this is the first)": "（共 {count} 处，此为第一处）",
    "Sign in with grader login URL, or set GRADER_TOKEN.": (
        "请用 grader login URL 登录，或设置 GRADER_TOKEN。"
    ),
    "Nothing is lost: grader check works offline, and the same hand-in can be sent again.": (
        "没有丢失任何东西：grader check 可离线使用，同一份作业可以再次提交。"
    ),
    "you are not signed in: no server is known": "尚未登录：不知道服务器",
    "you are not signed in to {server}": "尚未登录 {server}",
    "The server is away ({reason}); again in {seconds:.0f} s.": (
        "暂时连不上服务器（{reason}）；{seconds:.0f} 秒后重试。"
    ),
    # data, init, login
    "there is no command {name}; is {nearest} meant?": "没有命令 {name}；是指 {nearest} 吗？",
    "the folder's name {name} gives no slug; add --slug": "文件夹名 {name} 无法生成 slug；请加 --slug",
    "{path} holds other files; name a new folder": "{path} 中已有其他文件；请换一个新文件夹",
    "Downloading": "下载中",
    "{count} files, SHA-256 {sha256}.": "{count} 个文件，SHA-256 {sha256}。",
    "Leave out training data kept on another host.": "不下载存放在其他主机上的训练数据。",
    "Training data: {url}": "训练数据：{url}",
    "Next:": "接下来：",
    "{path} is there already; nothing was written": "{path} 已存在；没有写入任何文件",
    "Signed in to {server} as {name} <{email}>.": "已以 {name} <{email}> 登录 {server}。",
    "The token is in {path}, which only you can read.": "令牌保存在 {path}，只有你能读取。",
    "{url} is not an http(s) address": "{url} 不是 http(s) 地址",
    "Warning: http sends your password readable by anyone on the way.": (
        "警告：http 会以明文发送密码，途中任何人都能读到。"
    ),
    # check
    "every row says {name!r}; is that the sample submission?": (
        "每一行都是 {name!r}；这是样例提交吗？"
    ),
    "never predicted: {names}": "从未预测过：{names}",
    "name the public pack with -a: it says which ids are expected": (
        "请用 -a 指定公开数据包：其中列出了需要的 id"
    ),
    "Not run: name the public pack with -a to try it on the sample.": (
        "未运行：用 -a 指定公开数据包，即可在样例上试运行。"
    ),
    "Log of the sample run:": "样例运行日志：",
    "OK: {rows} rows, as the server expects them.": "OK：{rows} 行，符合服务器要求。",
    "OK: it ran on {n} sample images ({runner}); accuracy there {accuracy:.3f}.": (
        "OK：代码包已在 {n} 张样例图片上运行（{runner}）；样例准确率 {accuracy:.3f}。"
    ),
    "OK: the bundle has the right form ({files} files).": "OK：代码包格式正确（{files} 个文件）。",
    "downloads weights, but there is no network; the checkpoint must hold them all": (
        "会下载权重，但评测时没有网络；权重必须全部放在检查点文件中"
    ),
    "needs a network, and there is none": "需要网络，但评测时没有网络",
    ".cuda() fails without a GPU; the model is put on the right device for you": (
        "没有 GPU 时 .cuda() 会失败；模型会自动放到正确的设备上"
    ),
    "holds a pickled object ({names}), not tensors alone, and will not be loaded: "
    "torch.save(model.state_dict(), …)": (
        "含有 pickle 对象（{names}）而非仅有张量，不会被加载："
        "请用 torch.save(model.state_dict(), …)"
    ),
    "keeps the state_dict under {key!r}; save that one alone": (
        "state_dict 放在 {key!r} 之下；请只保存它本身"
    ),
    "names begin with `{prefix}`: save model.{path}.state_dict()": (
        "参数名以 `{prefix}` 开头：请保存 model.{path}.state_dict()"
    ),
    "is no file of torch.save: write it with torch.save(model.state_dict(), …)": (
        "不是 torch.save 写出的文件：请用 torch.save(model.state_dict(), …)"
    ),
    "defines no function build_model()": "没有定义函数 build_model()",
    "is not read; save the state_dict as checkpoint.safetensors or checkpoint.pt": (
        "不会被读取；请把 state_dict 存为 checkpoint.safetensors 或 checkpoint.pt"
    ),
    "is not valid Python: {error}": "不是有效的 Python：{error}",
    "a code bundle can be run on Linux and macOS, and inside WSL on Windows": (
        "代码提交包可在 Linux 和 macOS 上运行，在 Windows 上须使用 WSL"
    ),
    "running a code bundle needs PyTorch: pip install torch (extra: reference)": (
        "运行代码包需要 PyTorch：pip install torch（extra：reference）"
    ),
    "Without a sandbox, as a plain program (`sandbox self-check` says why)": (
        "没有沙箱，直接运行（原因见 `sandbox self-check`）"
    ),
    "Help: {command} --help": "帮助：{command} --help",
    "Aborted.": "已中止。",
    "--csv is for the list of assignments: leave the ID out": "--csv 用于作业列表：请去掉 ID",
    # submit
    "Follow it with: grader status {id}": "可用 grader status {id} 跟踪",
    "Sending {name}": "正在发送 {name}",
    "Nothing was sent.": "没有发送任何内容。",
    "It may have arrived. To send it again so that it counts once: --key {key}": (
        "可能已经送达。若要重发且只算一次：--key {key}"
    ),
    "Interrupted: it may have arrived (grader submissions -a {slug} shows it). To go on so that it counts once, call this again with --key {key}": (
        "已中断：可能已经送达（grader submissions -a {slug} 可查看）。若要继续且只算一次，请加 --key {key} 再运行一次"
    ),
    "Interrupted: your hand-in was received and goes on without you. Follow it with: grader status {id}": (
        "已中断：提交已收到，评测会继续。可用 grader status {id} 跟踪"
    ),
    "Agent {name} takes work: {lanes}": "代理 {name} 开始接受任务：{lanes}",
    "give the agent's token in {name} or --token-file": (
        "请在 {name} 中或用 --token-file 给出代理的令牌"
    ),
    "this machine can run: {lanes}": "本机可运行：{lanes}",
    "there is no key {name}: grader keys lists all": "没有键 {name}：grader keys 列出全部",
    "valid: {valid}": "有效值：{valid}",
    "default: {default}": "默认值：{default}",
    "example: {example}": "示例：{example}",
    "waiting": "等待中",
    "Warning: {warning}": "警告：{warning}",
    # reports
    "Submission {id}": "提交 {id}",
    "Receipt: accepted {time}": "回执：接收于 {time}",
    "signature": "签名",
    "The receipt was not signed by this key, or was changed since.": "该回执不是由此密钥签发，或已被改动。",
    "This is genuine, and no receipt: it does not say that a file was handed in.": (
        "签名真实，但这不是回执：它并不表明文件已提交。"
    ),
    "The receipt is genuine, but of another file.": "回执真实，但属于另一个文件。",
    "Genuine: {id}, accepted {time}, SHA-256 {sha256}": "回执真实：{id}，接收于 {time}，SHA-256 {sha256}",
    "Verifying needs an extra: pip install 'gradewright[receipts]'": "核验需要附加依赖：pip install 'gradewright[receipts]'",
    "{path} holds no JSON object": "{path} 中没有 JSON 对象",
    "Cancelled while it ran on hidden images: it has no verdict, but is counted.": (
        "已在隐藏图片上运行时取消：没有评测结果，但仍计入次数。"
    ),
    "The teaching team has asked about it; read and reply at {page}": (
        "教学团队对它有疑问；请在 {page} 阅读并答复"
    ),
    "Cancelled: it has no verdict and cost nothing.": "已取消：没有评测结果，也不占用次数。",
    "Flag DATA: over 64 KB that are neither code nor values of a checkpoint; put weights into it.": (
        "标记 DATA：既非代码、也非权重数值的内容超过 64 KB；请把权重放进权重文件。"
    ),
    "Flag ND: the same image got different answers; make the model deterministic.": (
        "标记 ND：同一张图片得到了不同的答案；请让模型的输出确定。"
    ),
    "place {place}": "第 {place} 位",
    "{verdict}; it is tried again once when the machine is quiet, free of quota": (
        "{verdict}；机器空闲时会再试一次，不占用提交次数"
    ),
    "about {seconds:.0f} s": "约 {seconds:.0f} 秒",
    "{shown} of {total} rows; more with --page": "共 {total} 行，显示 {shown} 行；用 --page 翻页",
    "Final picks: {ids}": "最终选择：{ids}",
    "{left} of {limit} left today.": "今天还剩 {left} 次（共 {limit} 次）。",
    "time": "时间",
    "change": "变化",
    "why": "原因",
    "The count starts again {time}.": "{time} 重新计数。",
    # new
    "Decoding": "正在解码",
    "{train} images to train on, {test} hidden, {classes} classes.": (
        "训练图片 {train} 张，隐藏 {test} 张，{classes} 个类别。"
    ),
    "The test images are hidden, but feedback lets out up to {bits} bits of them an "
    "evaluation; `aggregate` with public_board `rounded`: 7.": (
        "测试图片是隐藏的，但每次评测的反馈最多可泄露 {bits} 比特；"
        "feedback 设为 `aggregate` 且 public_board 设为 `rounded` 时为 7 比特。"
    ),
    "Now write its README.md and look through assignment.toml.": (
        "现在请编写 README.md 并检查 assignment.toml。"
    ),
    "is HxW in pixels, such as 224x224": "应为以像素计的 高x宽，如 224x224",
}

WORDS: Final = {
    "images": "图片数",
    "metric": "指标",
    "public": "公开",
    "private": "私有",
    "rank": "名次",
    "score": "分数",
    "95% interval": "95% 区间",
    "parameters": "参数量",
    "bundle MB": "代码包 MB",
    "s per 1000": "每千张秒数",
    # what is declared at hand-in
    "Did pretrained weights go into it?": "是否使用了预训练权重？",
    "Did data from elsewhere go into it?": "是否使用了外部数据？",
    "--declare none stands alone": "--declare none 不能与其他值一起使用",
    "the rules of this assignment forbid that; nothing was sent": (
        "本作业的规则不允许；没有发送任何内容"
    ),
    "≈ rank": "≈ 名次",
    "entries": "提交数",
    "last": "最近",
    "accepted": "接收时间",
    "kind": "类型",
    "status": "状态",
    "message": "备注",
    "course": "课程",
    "assignment": "作业",
    "title": "名称",
    # statuses and phases
    "queued": "排队中",
    "running": "运行中",
    "finished": "已完成",
    "cancelled": "已取消",
    "checking": "检查",
    "sample": "样例运行",
    "hidden": "隐藏数据运行",
    "scoring": "评分",
    # verdicts
    "scored": "已评分",
    "rejected at upload": "上传时被拒收",
    "contract error": "接口错误",
    "checkpoint can't be loaded": "权重无法加载",
    "run-time error": "运行时错误",
    "time limit exceeded": "超出时间限制",
    "memory limit exceeded": "超出内存限制",
    "output limit exceeded": "超出输出限制",
    "predictions malformed": "预测结果格式错误",
    "policy violation": "违反规定",
    "internal error": "系统内部错误",
}

CHINESE: Final = {**HELP, **TALK, **WORDS, **CLAIMS}
