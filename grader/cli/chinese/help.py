"""Chinese for the help of the command line, by the English source."""

from __future__ import annotations

from typing import Final

HELP: Final = {
    "Usage": "用法",
    "Options": "选项",
    "Commands": "命令",
    "Show this message and exit.": "显示本说明并退出。",
    "Show the version and exit.": "显示版本并退出。",
    # grader
    "Check, hand in and follow assignments of a deep-learning course.\n\n"
    "\b\nA first hand-in:\n"
    "  grader init --kind csv my-work\n"
    "  grader login https://grader.example.edu\n"
    "  grader data fashion-mnist my-work/pack\n"
    '  grader submit my-work/predictions.csv -a fashion-mnist -m "first try" --wait\n\n'
    "\b\nExit codes: 0 scored or accepted, 2 wrong usage or a missing extra,\n"
    "3 rejected or a failed program, 4 a fault of ours, 5 network or sign-in,\n"
    "130 interrupted.\n\n"
    "Messages come in English or Chinese, as GRADER_LANG or the locale says. Completion of\n"
    'commands for bash: eval "$(_GRADER_COMPLETE=bash_source grader)", likewise zsh and fish.': (
        "检查、提交并跟踪深度学习课程的作业。\n\n"
        "\b\n第一次提交：\n"
        "  grader init --kind csv my-work\n"
        "  grader login https://grader.example.edu\n"
        "  grader data fashion-mnist my-work/pack\n"
        '  grader submit my-work/predictions.csv -a fashion-mnist -m "第一次" --wait\n\n'
        "\b\n退出码：0 已评分或已接收，2 用法错误或缺少依赖，\n"
        "3 被拒收或程序出错，4 平台故障，5 网络或登录问题，130 被中断。\n\n"
        "提示语为英文或中文，由 GRADER_LANG 或系统区域设置决定。bash 的命令补全："
        'eval "$(_GRADER_COMPLETE=bash_source grader)"，zsh 与 fish 类似。'
    ),
    "Write a starting kit that works.": "写出一份可直接运行的起步代码。",
    "Download an assignment's public pack.": "下载作业的公开数据包。",
    "Check a hand-in offline, as the server would.": "离线检查，规则与服务器相同。",
    "Sign in to a server and keep the token.": "登录服务器并保存令牌。",
    "Verify a signed receipt offline.": "离线核验签名回执。",
    "Verify a signed receipt offline.\n\n"
    "FILE holds what `grader submit --json` or `grader status ID --json` printed.\n\n"
    "\b\nExample: grader receipt submission.json --key receipt-key.json --of predictions.csv": (
        "离线核验签名回执。\n\n"
        "FILE 是 `grader submit --json` 或 `grader status ID --json` 的输出。\n\n"
        "\b\n示例：grader receipt submission.json --key receipt-key.json --of predictions.csv"
    ),
    "The server's public key, as /api/v1/receipt-key gives it.": (
        "服务器的公钥，由 /api/v1/receipt-key 提供。"
    ),
    "Also: is it the receipt of this file?": "同时核对回执是否属于此文件。",
    "Hand in a CSV or a code bundle.": "提交预测 CSV 或代码包。",
    "Show a submission, or where you stand.": "查看一次提交，或自己的概况。",
    "List your team's submissions.": "列出本小组的提交。",
    "Withdraw a submission that waits or runs.": "撤回正在等待或运行的提交。",
    "Show the leaderboard.": "查看排行榜。",
    "Show how many submissions are left today.": "查看今天还剩几次提交。",
    "Pick the submissions that count in the end.": "选定最终计分的提交。",
    "Check a report's figures for consistency.": "核对报告中的数字是否自洽。",
    "Score a hand-in here, with no server (staff).": "不经服务器在本机评分（教师）。",
    "Make an assignment from images (staff).": "由图片文件夹生成作业（教师）。",
    "Explain the keys of assignment.toml (staff).": "说明 assignment.toml 的各个键（教师）。",
    # options that several commands share
    "Print one JSON document for a script.": "输出一个 JSON 文档，供脚本读取。",
    "The course, where several have this assignment (or GRADER_COURSE).": (
        "课程；多门课程有同名作业时需要（或 GRADER_COURSE）。"
    ),
    "An API token (or GRADER_TOKEN); default: that of grader login.": (
        "API 令牌（或 GRADER_TOKEN）；默认用 grader login 保存的。"
    ),
    "The server's address (or GRADER_SERVER); default: that of grader login.": (
        "服务器地址（或 GRADER_SERVER）；默认用 grader login 保存的。"
    ),
    "The assignment.": "作业。",
    # grader init
    "Write a starting kit that works into FOLDER.\n\n\b\nExample: grader init --kind csv my-work": (
        "在 FOLDER 中写出一份可直接运行的起步代码。\n\n\b\n例：grader init --kind csv my-work"
    ),
    "csv: predictions in a file, with NumPy alone. code: a PyTorch model. "
    "notebook: for Colab, Kaggle and Jupyter.": (
        "csv：预测文件，只需 NumPy。code：PyTorch 模型。notebook：用于 Colab、Kaggle 和 Jupyter。"
    ),
    # grader data
    "Download the public pack of assignment SLUG into FOLDER (default: SLUG).\n\n"
    "\b\nExample: grader data fashion-mnist": (
        "把作业 SLUG 的公开数据包下载到 FOLDER（默认 SLUG）。\n\n\b\n例：grader data fashion-mnist"
    ),
    # grader check
    "Check PATH, a prediction CSV or a code bundle, without a server.\n\n"
    "A bundle is run on the pack's public sample: in the sandbox where this machine has one,\n"
    "else, since it is your own code, as a plain program.\n\n"
    "\b\nExample: grader check predictions.csv -a pack": (
        "不经服务器检查 PATH（预测 CSV 或代码包）。\n\n"
        "代码包会在数据包的公开样例上运行：本机有沙箱则用沙箱，否则因为是你自己的代码，直接运行。\n\n"
        "\b\n例：grader check predictions.csv -a pack"
    ),
    "The folder of grader data; default: one found near PATH.": (
        "grader data 下载的文件夹；默认在 PATH 附近查找。"
    ),
    # grader login
    "Sign in to the server at URL and keep the token.\n\n"
    "\b\nExample: grader login https://grader.example.edu": (
        "登录 URL 处的服务器并保存令牌。\n\n\b\n例：grader login https://grader.example.edu"
    ),
    "Your e-mail address; asked for otherwise.": "电子邮箱；不给则会询问。",
    "Read the password from standard input, for scripts.": "从标准输入读取密码，供脚本使用。",
    "Keep this API token, made on the server's token page, instead.": (
        "改为保存此 API 令牌（在服务器的令牌页面生成）。"
    ),
    "The course to use where several have an assignment.": "多门课程有同名作业时使用的课程。",
    # grader submit
    "Hand in PATH: a prediction CSV, a code bundle folder or an archive of one.\n\n"
    '\b\nExample: grader submit predictions.csv -a fashion-mnist -m "first try" --wait': (
        "提交 PATH：预测 CSV、代码包文件夹或其压缩包。\n\n"
        '\b\n例：grader submit predictions.csv -a fashion-mnist -m "第一次" --wait'
    ),
    "What went into it of what the rules speak of, or none; asked for on a terminal.": (
        "使用了规则所涉及的哪些内容；none 表示都没有；在终端上会询问。"
    ),
    "Print the table as CSV.": "以 CSV 格式输出表格。",
    "A figure that your report claims, such as macro_f1=.83, to be held against the score.": (
        "报告中声明的数字，例如 macro_f1=.83，将与分数核对。"
    ),
    "A note to yourself, shown in the list.": "给自己看的备注，显示在列表中。",
    "Follow the evaluation and print the score.": "跟踪评测并输出分数。",
    "Send an earlier attempt again under its key: it counts once, however often it is sent.": (
        "用原来的键重发：无论发几次都只算一次。"
    ),
    # grader status, submissions
    "Show submission ID; without an ID, who you are and your assignments.\n\n"
    "\b\nExample: grader status s_7f3k9q2m": (
        "查看编号为 ID 的提交；不给 ID 则显示当前用户及其作业。\n\n\b\n例：grader status s_7f3k9q2m"
    ),
    "List your team's submissions, newest first.\n\n"
    "\b\nExample: grader submissions -a fashion-mnist": (
        "列出本小组的提交，最新的在前。\n\n\b\n例：grader submissions -a fashion-mnist"
    ),
    "Withdraw submission ID, which waits or runs. What has a result stays.\n\n"
    "It costs nothing unless its code runs on hidden images already.\n\n"
    "\b\nExample: grader cancel s_7f3k9q2m": (
        "撤回正在等待或运行的提交 ID；已有结果的不受影响。\n\n"
        "若代码尚未在隐藏图片上运行，则不占用次数。\n\n\b\n例：grader cancel s_7f3k9q2m"
    ),
    # grader leaderboard, quota, pick
    "Show the leaderboard of an assignment.\n\n\b\nExample: grader leaderboard -a fashion-mnist": (
        "查看一份作业的排行榜。\n\n\b\n例：grader leaderboard -a fashion-mnist"
    ),
    "private: after the staff have released it.": "private：教师公布之后才有。",
    "Where pretrained weights have a track of their own: the board of one track.": (
        "预训练权重单独排名时：只看一个赛道的榜单。"
    ),
    "A later page of a long board.": "排行榜的后续页。",
    "Show how many submissions your team has left today, and where the others went.\n\n"
    "\b\nExample: grader quota -a fashion-mnist": (
        "查看本小组今天还剩几次提交，以及其余的用在了哪里。\n\n"
        "\b\n例：grader quota -a fashion-mnist"
    ),
    "Make the submissions ID... your team's final picks, in place of the earlier ones.\n\n"
    "\b\nExample: grader pick s_7f3k9q2m s_1c8d2p4x": (
        "把这些提交定为本小组的最终选择，取代先前的选择。\n\n"
        "\b\n例：grader pick s_7f3k9q2m s_1c8d2p4x"
    ),
    # grader claims
    'Check the figures of REPORT: text or CSV that holds its tables ("-" reads a paste).\n\n'
    "Headline figures are held against the printed class tables and confusion matrices; claims\n"
    "against those or against a measured score; a public and a private score against the\n"
    "splits of a test set. Where figures differ, the known mistake that reproduces them is\n"
    "named. Exit code 3 says that something does not hold.\n\n"
    "\b\nExamples:\n"
    "  grader claims report.txt\n"
    "  grader claims matrix.txt --claim accuracy=.8006\n"
    "  grader score assignment/ predictions.csv --json | "
    "grader claims --measured - --claim acc=.76\n"
    "  grader claims --test-size 5000 --public 0.90200 --private 0.88942": (
        "核对 REPORT（含有表格的文本或 CSV，“-”表示读取粘贴内容）中的数字。\n\n"
        "用报告自己的分类表和混淆矩阵核对其主要数字；用它们或实测分数核对声明；"
        "用测试集的划分核对公开与私有分数。数字不符时，指出能重现它的常见错误。"
        "退出码 3 表示有数字不成立。\n\n"
        "\b\n例：\n"
        "  grader claims report.txt\n"
        "  grader claims matrix.txt --claim accuracy=.8006\n"
        "  grader score assignment/ predictions.csv --json | "
        "grader claims --measured - --claim acc=.76\n"
        "  grader claims --test-size 5000 --public 0.90200 --private 0.88942"
    ),
    "A figure that the report claims, such as accuracy=.76 or macro_f1=83.1%; repeatable.": (
        "报告声明的数字，如 accuracy=.76 或 macro_f1=83.1%；可重复。"
    ),
    "A claims.toml to read claims from.": "从中读取声明的 claims.toml。",
    "What grader score --json or grader status ID --json printed.": (
        "grader score --json 或 grader status ID --json 的输出。"
    ),
    "Images of the whole test set.": "整个测试集的图片数。",
    "The public accuracy, as printed.": "公开准确率，按印出的写法。",
    "The private one, as printed.": "私有准确率，按印出的写法。",
    # grader score
    "Score PATH, a CSV or a bundle, against the answers in ASSIGNMENT_DIR.\n\n"
    "\b\nExample: grader score fashion_mnist/ predictions.csv --json": (
        "用 ASSIGNMENT_DIR 中的答案给 PATH（CSV 或代码包）评分。\n\n"
        "\b\n例：grader score fashion_mnist/ predictions.csv --json"
    ),
    # grader grade
    "Give the grade of a private SCORE, and what it was made of.\n\n"
    "\b\nExample: grader grade 0.903 -a fashion_mnist/ --days-late 1": (
        "给出私有分数 SCORE 的等级，以及它是怎样得出的。\n\n"
        "\b\n例：grader grade 0.903 -a fashion_mnist/ --days-late 1"
    ),
    "Say what grade a score is, and why (staff).": "说明某个分数是什么等级及其原因（教师）。",
    "The assignment's folder, with scale.json in it.": "作业文件夹，其中有 scale.json。",
    "Days late that no late day pays for.": "没有用迟交天数抵扣的迟交天数。",
    # grader keys
    "Print an assignment.toml with every key, its meaning and an example; or explain key NAME.\n\n"
    "\b\nExample: grader keys schedule.due": (
        "打印含全部键、含义和示例的 assignment.toml；或说明键 NAME。\n\n"
        "\b\n例：grader keys schedule.due"
    ),
    "Print tables in Markdown.": "以 Markdown 打印表格。",
    # grader agent
    "Run students' code for a server (staff).": "为服务器运行学生的代码（教师）。",
    "Run students' code for SERVER in this machine's sandbox, until SIGTERM.\n\n"
    "It needs nothing but https to the server and the token that `leaderboard agents add` "
    "printed, in\nGRADER_AGENT_TOKEN or a file. What it runs is finished first; a second signal "
    "ends it at once.\n\n"
    "\b\nExample: grader agent https://grader.example.edu --token-file /etc/grader/agent.token": (
        "在本机沙箱中为 SERVER 运行学生的代码，直到收到 SIGTERM。\n\n"
        "只需能以 https 访问服务器，以及 `leaderboard agents add` 打印的令牌（放在环境变量 "
        "GRADER_AGENT_TOKEN 或文件中）。正在运行的会先完成；第二个信号立即结束。\n\n"
        "\b\n例：grader agent https://grader.example.edu --token-file /etc/grader/agent.token"
    ),
    "Some of code, gpu; else what this machine can do.": "code、gpu 中的若干个；默认为本机所能。",
    "GPUs, by number, as in SANDBOX_GPUS.": "GPU 的编号，写法同 SANDBOX_GPUS。",
    "End after one run.": "运行一次后结束。",
    # grader new
    "Make the assignment folder ASSIGNMENT_DIR from images with classes.\n\n"
    "\b\nExample: grader new marine --from photos/ --size 224x224": (
        "由带类别的图片生成作业文件夹 ASSIGNMENT_DIR。\n\n"
        "\b\n例：grader new marine --from photos/ --size 224x224"
    ),
    "Class folders, with splits or not; a table of files and labels; .npz, .npy, parquet; "
    "a competition's folder.": (
        "按类别分的文件夹（可有数据划分）；文件与标签的表格；.npz、.npy、parquet；竞赛文件夹。"
    ),
    "The short name in addresses; default: the folder's name.": "网址中的短名；默认为文件夹名。",
    "The name that people read; default: the slug.": "显示给人看的名称；默认为短名。",
    "The size of all images; default: that of nine in ten of them, else 224x224.": (
        "所有图片的尺寸；默认：九成以上一致时取该尺寸，否则 224x224。"
    ),
    "together: images that look alike come to one side, training or hidden.": (
        "together：相似的图片放在同一边（训练或隐藏）。"
    ),
    "Make all images grey.": "把所有图片转为灰度。",
    "Of folders train/, val/, test/: join them, or keep the test part hidden as it is.": (
        "遇到 train/、val/、test/ 文件夹时：合并，或把测试部分原样作为隐藏图片。"
    ),
    "The share of each class that is hidden for scoring.": "每类中留作评分的隐藏比例。",
    "Training images of each class that the sample run uses.": "每类中供样例运行使用的训练图片数。",
    "Draws the test set; default: drawn anew and kept in assignment.toml.": (
        "抽取测试集的种子；默认随机产生并存入 assignment.toml。"
    ),
}
