"""Words of class lists: what a column's header means, and which role a word is.

Headers of Canvas, Moodle, Blackboard, Brightspace, Sakai, Gradescope, Teams, ILIAS, Stud.IP and
CAMPUSonline, and what offices write: in English, German, Chinese (both scripts), French, Spanish,
Italian, and the commonest of Portuguese, Dutch, Polish, Czech, Russian, Japanese and Korean.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from leaderboard.models import Role

# By the letters and digits of a header alone. Of two columns with one meaning the first counts.
_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "email": """
            email emailaddress emailadresse emailadress mail mailadresse epost useremail
            studentemail primaryemail institutionalemail universityemail schoolemail
            userprincipalname upn
            adressedecourriel courriel adressecourriel adresseemail adressemail adresseélectronique
            correo correoelectrónico direccióndecorreo direccióndecorreoelectrónico
            indirizzoemail indirizzodiposta postaelettronica enderecodeemail endereçodeemail
            emailadres adresemail adrespocztyelektronicznej emailováadresa электроннаяпочта
            адресэлектроннойпочты элпочта почта
            电子邮件 邮箱 电子邮箱 email地址 电子邮件地址 邮箱地址 电邮 电邮地址 邮件 邮件地址
            電子郵件 電子郵件信箱 電子信箱 電郵 電郵地址 信箱 メールアドレス メール 이메일
        """,
        "login": """
            sisloginid loginid login username userid benutzername benutzerkennung nutzername kennung
            netid nomdutilisateur identifiant nombredeusuario nomeutente nomedeusuário
            用户名 登录名 帐号 账号 使用者名稱 帳號 ユーザ名
        """,
        "name": """
            name fullname nameoriginalname displayname studentfullname preferredname legalname
            vollständigername anzeigename nomcomplet nomdelétudiant nombrecompleto nomecompleto
            nom nombre nome naam volledigenaam имя фио
            姓名 全名 学生姓名 真实姓名 學生姓名 中文姓名 氏名 名前 이름
        """,
        "listed_name": "student studentname",
        "first": """
            firstname firstnames first vorname vornamen givenname givennames forename
            firstnameofstudent prénom prenom prénoms primernombre nombres voornaam imię jméno
            名 名字
        """,
        "last": """
            lastname last surname nachname familienname zuname familyname familynameofstudent
            nomdefamille nomusuel apellido apellidos apellidosdelestudiante cognome sobrenome
            achternaam nazwisko příjmení фамилия
            姓 姓氏
        """,
        "number": """
            number studentnumber studentid studentidnumber studentno studid idnumber sisuserid sisid
            sid orgdefinedid banner bannerid universityid institutionid campusid employeeid
            matriculationnumber matriculation matricno registrationnumber registrationno rollnumber
            rollno enrollmentnumber enrolmentnumber
            matrikelnummer matrikelnr matrikel matrnr matnr idnummer studentenid
            numéroétudiant numétudiant noétudiant numérodétudiant numérodidentification matricule
            númerodeid númerodealumno númerodematrícula matrícula matricola codiceidentificativo
            númerodeidentificação númerodoaluno studentnummer numeralbumu nralbumu
            学号 学生编号 编号 id号 学生id 工号 学籍号 學號 學生編號 学籍番号 学生番号 학번
        """,
        "section": """
            section sections abschnitt sektion übungsgruppe tutorium tutorial lab labsection
            discussion classsection kursgruppe
            班级 班 教学班 行政班级 行政班 所在班级 班級 クラス
        """,
        "team": """
            team teamname group groups groupname gruppe gruppen gruppenname projektgruppe
            projectgroup groupe groupes grupo grupos gruppo gruppi
            小组 组 分组 团队 组别 小组名称 小組 群組 組別 チーム グループ
        """,
        "role": "role roles rolle rollen rôle rôles rol ruolo papel função 角色 身份",
    }
)
_MEANINGS: Final = {name: key for key, names in _HEADERS.items() for name in names.split()}
WHO: Final = frozenset({"email", "login", "number"})
CALLED: Final = frozenset({"name", "listed_name", "first", "last"})

# in rising order
_ROLE_WORDS: Final[Mapping[Role, str]] = MappingProxyType(
    {
        Role.STUDENT: """
            student students studentenrollment learner participant member
            teilnehmer teilnehmerin teilnehmende studentin studierende studierender
            mitglied kursmitglied étudiant étudiante estudiante alumno alumna studente studentessa
            aluno aluna 学生 学员 成员 學生 noroles keinerollen aucunrôle 没有角色
        """,
        Role.ASSISTANT: """
            assistant ta taenrollment teachingassistant coursebuilder grader noneditingteacher
            tutor tutorin kurstutor hilfskraft assistent assistentin
            trainerinohnebearbeitungsrecht enseignantnonéditeur 助教 助理教师
            无编辑权教师 无编辑权限教师
        """,
        Role.INSTRUCTOR: """
            instructor teacher teacherenrollment lecturer professor owner
            dozent dozentin dozierende dozierender lehrende lehrender trainerin trainer
            kursadministrator enseignant enseignante professeur profesor profesora docente
            教师 老师 教師 老師 所有者
        """,
    }
)
_ROLES: Final = {
    word: role for role, words in _ROLE_WORDS.items() for word in ("", *words.split())
} | {"": Role.STUDENT}
_RISING: Final = tuple(_ROLE_WORDS)


def columns_of(header: Sequence[str]) -> dict[str, int]:
    """Meaning → place.

    >>> columns_of(["学号/工号", "Name (original name)", "E-Mail", "Mark"])
    {'number': 0, 'name': 1, 'email': 2}
    """
    found: dict[str, int] = {}
    for place, name in enumerate(header):
        meaning = _meaning(name)
        if meaning:
            found.setdefault(meaning, place)
    if "email" in found:
        found.pop("login", None)
    return found


def names_people(columns: Mapping[str, int]) -> bool:
    """Whether columns tell who a person is and how they are called."""
    return bool(columns.keys() & WHO and columns.keys() & CALLED)


def role_of(cell: str) -> Role | None:
    """The highest role that a cell names; None where a word is no role.

    >>> role_of("Student, TA"), role_of("Observer")
    (<Role.ASSISTANT: 'assistant'>, None)
    """
    words = [plain(word) for word in re.split(r"[,;、]", cell)]
    if not all(word in _ROLES for word in words):
        return None
    return max((_ROLES[word] for word in words), key=_RISING.index)


def plain(name: str) -> str:
    """Letters and digits alone, without regard to case.

    >>> plain(" E-Mail_Adresse ")
    'emailadresse'
    """
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name)).casefold()


def _meaning(name: str) -> str | None:
    """Of the whole header, else of its first part that has one: `学号/工号`, `Apellido(s)`."""
    parts = re.split(r"[/|(（\[【:：]", name)
    known = (_MEANINGS.get(plain(each)) for each in (name, *parts))
    return next(filter(None, known), None)
