"""Chinese for sentences that hold values: of runs, of bundles, of the exchange with a server."""

from __future__ import annotations

from functools import cache
from typing import Final

from grader import run_sentences
from grader.wording import Templates

RUNS: Final[dict[str, str]] = {
    "The program broke the contract of model.py.": "程序违反了 model.py 的约定。",
    "The checkpoint could not be loaded.": "无法加载权重文件。",
    "The program failed while predicting.": "程序在预测时出错。",
    "The predictions have a wrong shape, type or value, or are not complete.": (
        "预测的形状、类型或数值不对，或者不完整。"
    ),
    "The program ran out of memory.": "程序的内存不足。",
    "The program ran out of GPU memory.": "程序的显存不足。",
    "The program filled its space for temporary files.": "程序占满了临时文件的空间。",
    "Used {value} MB of the {expected} MB allowed, and asked for more.": (
        "在允许的 {expected} MB 中已使用 {value} MB，并要求更多。"
    ),
    "Used more than the {value} MB of GPU memory allowed.": "使用的显存超过了允许的 {value} MB。",
    "Temporary files filled the {value} MB allowed.": "临时文件占满了允许的 {value} MB。",
    "Stopped at the time limit of {value} s.": "达到 {value} 秒的时间限制，已被停止。",
    "The program printed more than the {value} MB allowed.": (
        "程序的输出超过了允许的 {value} MB。"
    ),
    "The program closed its channel to the grader.": "程序关闭了与评分器之间的通道。",
    "The program broke the channel to the grader: {value}.": (
        "程序破坏了与评分器之间的通道：{value}。"
    ),
    "The program went on sending after its last prediction.": (
        "程序在最后一个预测之后仍继续发送数据。"
    ),
    "The program ended after {value} of {expected} predictions.": (
        "程序在完成 {expected} 个预测中的 {value} 个后结束了。"
    ),
    "The program was ended by signal {value}.": "程序被信号 {value} 终止。",
    "The program ended with exit status {value}.": "程序以退出状态 {value} 结束。",
    "The program called exit() before all predictions were made.": (
        "程序在完成所有预测之前调用了 exit()。"
    ),
    "model.py can't be imported: {value}": "无法导入 model.py：{value}",
    "build_model() failed: {value}": "build_model() 出错：{value}",
    "The model can't be put on its device and in eval mode: {value}": (
        "无法把模型放到设备上并切换到 eval 模式：{value}"
    ),
    "The program failed while predicting: {value}": "程序在预测时出错：{value}",
    "The checkpoint does not fit the model: {value}": "权重文件与模型不符：{value}",
    "{value} can't be loaded: {expected}": "无法加载 {value}：{expected}",
    "The bundle has no model.py.": "代码包中没有 model.py。",
    "{value} is neither a file nor a folder.": "{value} 既不是文件也不是文件夹。",
    "model.py defines no function build_model().": "model.py 中没有定义函数 build_model()。",
    "build_model() must return a torch.nn.Module, not {value}.": (
        "build_model() 必须返回 torch.nn.Module，而不是 {value}。"
    ),
    "BATCH_SIZE in model.py must be a whole number above 0.": (
        "model.py 中的 BATCH_SIZE 必须是大于 0 的整数。"
    ),
    "predict() returned {value}.": "predict() 返回了 {value}。",
    "predict() returned {value}, not a Tensor.": "predict() 返回了 {value}，而不是 Tensor。",
    "predict() returned values of type {value}, neither scores nor labels.": (
        "predict() 返回了类型为 {value} 的值，既不是分数也不是标签。"
    ),
    "predict() returned scores, then labels.": "predict() 先返回了得分，后来又返回了标签。",
    "predict() returned scores of shape {value} instead of {expected}.": (
        "predict() 返回的得分形状为 {value}，应为 {expected}。"
    ),
    "predict() returned labels of shape {value} instead of {expected}.": (
        "predict() 返回的标签形状为 {value}，应为 {expected}。"
    ),
    "predict() returned scores that are NaN or infinite.": (
        "predict() 返回了 NaN 或无穷大的得分。"
    ),
    "predict() returned labels outside {value}.": "predict() 返回了 {value} 之外的标签。",
    "The bundle has no checkpoint, but the model has {value} tensors. Expected "
    "checkpoint.safetensors or checkpoint.pt.": (
        "代码包中没有权重文件，但模型有 {value} 个张量。应有 checkpoint.safetensors 或 checkpoi"
        "nt.pt。"
    ),
    "The bundle has no checkpoint, but the model has {value} tensors. Expected "
    "checkpoint.safetensors or checkpoint.pt; rename {file} to {expected} if that is it.": (
        "代码包中没有权重文件，但模型有 {value} 个张量。应有 checkpoint.safetensors 或 checkpoi"
        "nt.pt；如果 {file} 就是权重文件，请改名为 {expected}。"
    ),
    "Which checkpoint is meant? The bundle has {value}.": (
        "应使用哪个权重文件？代码包中有 {value}。"
    ),
    "{value} is not a state_dict.": "{value} 不是 state_dict。",
    "The checkpoint does not fit the model; missing: {value}.": (
        "权重文件与模型不符；缺少：{value}。"
    ),
    "The checkpoint does not fit the model; not in the model: {value}.": (
        "权重文件与模型不符；模型中没有：{value}。"
    ),
    "The checkpoint does not fit the model; missing: {value}; not in the model: {expected}.": (
        "权重文件与模型不符；缺少：{value}；模型中没有：{expected}。"
    ),
    "This worker has no GPU: {value}.": "这台机器没有 GPU：{value}。",
    "This worker has no GPU with {value} MB for one run.": (
        "这台机器没有能为一次运行提供 {value} MB 显存的 GPU。"
    ),
    "{value} needs scores: one column a class": "{value} 需要分数：每个类别一列",
    "{value} needs probabilities: one column a class": "{value} 需要概率：每个类别一列",
    "There is no network here: build the model without downloading (pretrained=False, "
    "weights=None) and put all weights in the checkpoint.": (
        "这里没有网络：构建模型时不要下载（pretrained=False、weights=None），并把所有权重放进权"
        "重文件。"
    ),
    "There is no GPU here: leave out .cuda() and device='cuda'. The model is put on the "
    "right device for you; use images.device in preprocess() and predict().": (
        "这里没有 GPU：请去掉 .cuda() 和 device='cuda'。系统会把模型放到正确的设备上；在 prepro"
        "cess() 和 predict() 中请使用 images.device。"
    ),
    "It holds a pickled object, such as a whole model, and is not opened: save the tensors "
    "alone, torch.save(model.state_dict(), 'checkpoint.pt').": (
        "文件中含有 pickle 对象（例如整个模型），因此不会打开：请只保存张量，torch.save(model.s"
        "tate_dict(), 'checkpoint.pt')。"
    ),
    "Save it with torch.save(model.state_dict(), 'checkpoint.pt').": (
        "请用 torch.save(model.state_dict(), 'checkpoint.pt') 保存。"
    ),
    "It has one under {value}: save that one alone.": "其中 {value} 下有一个：请只保存它。",
    "The names begin with `module.`: save `model.module.state_dict()`.": (
        "名称以 `module.` 开头：请保存 `model.module.state_dict()`。"
    ),
    "It reached the limit of {value} processes.": "进程数达到了 {value} 个的上限。",
    "the GPU's memory is full.": "显存已满。",
    "memory could not be allocated ({value}).": "无法分配内存（{value}）。",
    "/tmp is full ({value}).": "/tmp 已满（{value}）。",  # noqa: S108 - said, not opened
    "what was sent is not a frame": "发送的内容不是数据帧",
    "a frame of type {value} has no place here": "此处不应出现类型 {value} 的数据帧",
    "a frame of type {value} can't have {expected} bytes here": (
        "此处类型 {value} 的数据帧不能有 {expected} 字节"
    ),
    "a batch size that is not allowed": "批大小不被允许",
    "a failure of unknown kind": "未知类型的失败",
    "predictions before the model was loaded": "模型载入之前就有预测",
    "predictions that are not finite or not classes": "预测值不是有限数或不是类别",
    "{value} and {expected} more": "{value} 等，另有 {expected} 个",
    "the setting {value} names none": "设置 {value} 没有指定任何一个",
}
BUNDLES: Final[dict[str, str]] = {
    "ids carry a folder: write {value}": "编号带了文件夹名：请写 {value}",
    "ids carry a file extension or a decimal point: write {value}": (
        "编号带了扩展名或小数点：请写 {value}"
    ),
    "ids are padded with zeros: write {value}": "编号多了前导零：请写 {value}",
    "ids have lost their leading zeros: write {value}": "编号丢了前导零：请写 {value}",
    "ids lack their file extension: write {value}": "编号缺少扩展名：请写 {value}",
    "ids are written in capitals: write {value}": "编号写成了大写：请写 {value}",
    "ids are written in small letters: write {value}": "编号写成了小写：请写 {value}",
    "ids carry white space: write {value}": "编号带了空白：请写 {value}",
    "ids start at 0, not at 1": "编号从 0 开始，不是 1",
    "did you mean {value}?": "是不是想写 {value}?",
    "the bundle holds more than {value} files and folders": (
        "代码包里的文件和文件夹超过 {value} 个"
    ),
    "leave out data sets, caches and environments": "不要放入数据集、缓存和环境",
    "the bundle unpacks to more than {value} MB": "代码包解压后超过 {value} MB",
    "leave out what the model does not need; store weights in half precision": (
        "去掉模型不需要的内容；权重可用半精度保存"
    ),
    "the archive unpacks to more than {value} times its size": (
        "压缩包解压后超过自身大小的 {value} 倍"
    ),
    "hand in the files that training wrote, not padding": "请提交训练得到的文件，不要填充",
    "{value} and {expected} differ in case only": "{value} 与 {expected} 只有大小写不同",
    "{value} is a file and a folder at once": "{value} 既是文件又是文件夹",
    "rename one: on some disks they are one file": (
        "请给其中一个改名：在某些磁盘上它们是同一个文件"
    ),
    "model.py is missing": "缺少 model.py",
    "model.py is missing; there is one at {value}": "缺少 model.py；在 {value} 处有一个",
    "put model.py, with build_model() in it, at the top of the bundle": (
        "请把含有 build_model() 的 model.py 放在代码包的最上层"
    ),
    "there are several checkpoints: {value}": "有多个权重文件：{value}",
    "keep one checkpoint file, or only files in checkpoints/": (
        "只保留一个权重文件，或全部放在 checkpoints/ 中"
    ),
    "checkpoints/ holds {value} in two formats": "checkpoints/ 中的 {value} 有两种格式",
    "keep one of them": "请只保留一个",
    "{value} is no valid safetensors file: its header is cut off or oversized": (
        "{value} 不是有效的 safetensors 文件：文件头不完整或过大"
    ),
    "write it with safetensors.torch.save_file(model.state_dict(), ...)": (
        "请用 safetensors.torch.save_file(model.state_dict(), ...) 保存"
    ),
    "claims.toml is larger than 64 KB": "claims.toml 超过 64 KB",
    "claims.toml is no valid TOML: {value}": "claims.toml 不是有效的 TOML:{value}",
    "write lines such as accuracy = 0.76": "请写成 accuracy = 0.76 这样的行",
    "{value} is in the archive twice": "{value} 在压缩包中出现两次",
    "pack the folder afresh": "请重新打包文件夹",
    "{value} is a {expected}, not a file": "{value} 是 {expected}，不是文件",
    "pack the files themselves (zip without -y, tar with --dereference)": (
        "请打包文件本身（zip 不加 -y,tar 加 --dereference）"
    ),
    "{value} holds a character that names must not hold": "{value} 含有文件名不允许的字符",
    "rename it": "请改名",
    "{value} is not a relative path": "{value} 不是相对路径",
    "pack from inside the folder": "请在文件夹内部打包",
    "{value} leads out of the bundle": "{value} 指向代码包之外",
    "{value} has a part that ends in a space or dot": "{value} 中有一段以空格或点结尾",
    "{value} is nested too deeply or its name is too long": "{value} 嵌套太深或名字太长",
    "shorten it": "请缩短",
    "pack the folder again and hand that in": "请重新打包后提交",
    "this assignment takes {value}, not {expected}": "这个作业接受 {value}，不接受 {expected}",
    "the archive is damaged or of an unknown kind: {value}": "压缩包损坏或类型未知：{value}",
    "this is neither a folder nor a .zip, .tar.gz or .tar archive": (
        "这既不是文件夹，也不是 .zip、.tar.gz 或 .tar 压缩包"
    ),
    "a header of the archive is far too large": "压缩包的文件头过大",
    "the archive is encrypted": "压缩包已加密",
    "the archive is cut off": "压缩包被截断",
    "entries of the archive overlap": "压缩包中的条目互相重叠",
    "the archive is compressed in an unusual way": "压缩包用了不常见的压缩方式",
    "there is no checkpoint.safetensors, checkpoint.pt or checkpoints/": (
        "没有 checkpoint.safetensors、checkpoint.pt 或 checkpoints/"
    ),
    "there is no checkpoint.safetensors, checkpoint.pt or checkpoints/; rename {value}?": (
        "没有 checkpoint.safetensors、checkpoint.pt 或 checkpoints/；是否应把 {value} 改名？"
    ),
    "{value} needs scores: one column a class": "{value} 需要分数：每个类别一列",
    "{value} needs probabilities: one column a class": "{value} 需要概率：每个类别一列",
}
# raised by the client; what an operating system says most often is here, since it stands in them
EXCHANGE: Final[dict[str, str]] = {
    "{value} answered {status}, but not as a grading server does; is the address right?": (
        "{value} 回答 {status}，但不像评分服务器；地址对吗？"
    ),
    "Request URL has an unsupported protocol {value}.": "不支持的协议 {value}。",
    "Request URL is missing an 'http://' or 'https://' protocol.": (
        "地址缺少 'http://' 或 'https://'。"
    ),
    "the download has SHA-256 {value}, promised was {expected}": (
        "下载内容的 SHA-256 是 {value}，应为 {expected}"
    ),
    "{value} sent a reply that this client can't read ({expected}); is it a grading server "
    "of a matching version?": (
        "{value} 的回复无法读取（{expected}）；它是版本相符的评分服务器吗？"
    ),
    "{value} is no server's address: {expected}": "{value} 不是服务器地址：{expected}",
    "the token holds characters that no token has": "令牌中有不该出现的字符",
    "{value} can't be reached: {expected}": "无法连接 {value}：{expected}",
    "the server has moved to {value}: sign in there with grader login": (
        "服务器已迁到 {value}：请用 grader login 在那里登录"
    ),
    "it answered {value}: {expected}": "它回答 {value}：{expected}",
    "it answered {value}": "它回答 {value}",
    "several of your courses have {value}: {expected}; name one": (
        "你有多门课程包含 {value}：{expected}；请指明一门"
    ),
    "none of your courses has an assignment {value} (there: {expected})": (
        "你的课程中没有作业 {value}（现有：{expected}）"
    ),
    "the receipt is for SHA-256 {value}, sent was {expected}: something on the way changed "
    "the file": ("回执对应的 SHA-256 是 {value}，发送的是 {expected}：文件在途中被改动"),
    "submission {value} was still {status} after {seconds} s; it goes on without you": (
        "提交 {value} 在 {seconds} 秒后仍是 {status}；它会继续进行，不必等待"
    ),
    "the pack is damaged ({value}); download it again": "数据包已损坏（{value}）；请重新下载",
    "the reply is not JSON ({value}): is this a grading server?": (
        "回复不是 JSON（{value}）：这是评分服务器吗？"
    ),
    "{value}: is no public pack (no assignment.json)": (
        "{value}：不是公开数据包（没有 assignment.json）"
    ),
    "{value}/assignment.json: can't be read: {expected}": (
        "{value}/assignment.json：无法读取：{expected}"
    ),
    "{value}/ids.csv: can't be read": "{value}/ids.csv：无法读取",
    "{value}/ids.csv: must hold one column of ids": "{value}/ids.csv：必须只有一列 id",
    "[Errno {value}] Connection refused": "[Errno {value}] 连接被拒绝",
    "[Errno {value}] Name or service not known": "[Errno {value}] 找不到该主机名",
    "[Errno {value}] No route to host": "[Errno {value}] 没有到该主机的路由",
    "the rest of the download can't be had": "无法取得下载的其余部分",
    "timed out": "超时",
}


def of_run(detail: str) -> str:
    """What the sandbox says of a failed run, in Chinese; the program's own words as they are."""
    return run_sentences.translated(detail, lambda template: RUNS.get(template, template))


def of_bundle(text: str) -> str:
    """What is wrong with a bundle, or a hint, in Chinese; a text that is not known as it is."""
    found = _bundles().find(text)
    return BUNDLES[found.template].format(**found.values) if found else text


def of_exchange(text: str) -> str:
    """What the client says of its exchange with a server, likewise."""
    found = _exchange().find(text)
    if found is None:
        return text
    values = {name: of_exchange(value) for name, value in found.values.items()}
    return EXCHANGE[found.template].format(**values)


@cache
def _bundles() -> Templates:
    return Templates(BUNDLES)


@cache
def _exchange() -> Templates:
    return Templates(EXCHANGE)
