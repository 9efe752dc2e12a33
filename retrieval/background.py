"""Texts that no picture answers, whatever a collection holds: what they score is background.

Words for what cannot be seen, in each of the scripts people ask in. Written for this project.
"""

import unicodedata

TEXTS = tuple(
    text
    for line in (
        "interest rate|the day before yesterday|grammatical gender|breach of contract|probability",
        "an anonymous rumour|moral duty|loss of memory|inflation|a polite refusal|the subjunctive",
        "Zinssatz|vorgestern|Vertragsbruch|Wahrscheinlichkeit|ein höflicher Widerspruch|Teuerung",
        "taux d'intérêt|avant-hier|rupture de contrat|probabilité|un devoir moral|une rumeur",
        "tipo de interés|anteayer|incumplimiento|probabilidad|un deber moral|un rumor|la inflación",
        "tasso d'interesse|l'altro ieri|inadempienza|probabilità|un dovere morale|una diceria",
        "taxa de juros|anteontem|quebra de contrato|probabilidade|um dever moral|um boato",
        "faiz oranı|evvelsi gün|sözleşme ihlali|olasılık|ahlaki görev|söylenti|enflasyon",
        "利率|前天|违约责任|概率论|道德义务|谣言的来源|通货膨胀|语法规则|礼貌的拒绝|记忆力减退",
        "金利|一昨日のこと|契約違反|かくりつ|道徳的な義務|うわさ|インフレ率|文法の規則|ていねいな断り",
        "이자율|그저께|계약 위반|확률|도덕적 의무|소문|물가 상승|문법 규칙|정중한 거절",
        "процентная ставка|позавчера|нарушение договора|вероятность|нравственный долг|инфляция",
        "سعر الفائدة|أول أمس|الإخلال بالعقد|الاحتمال|واجب أخلاقي|إشاعة|التضخم|قواعد النحو",
        "ब्याज दर|परसों|अनुबंध का उल्लंघन|संभावना|नैतिक कर्तव्य|अफ़वाह|महँगाई|व्याकरण के नियम",
    )
    for text in line.split("|")
)

SCRIPTS = {"HIRAGANA": "CJK", "KATAKANA": "CJK"}
"""Those that are written together."""


def script(text: str) -> str:
    """The script that most letters of a text are of, as Unicode names it; "" without letters."""
    names = [unicodedata.name(letter, "").split(" ")[0] for letter in text if letter.isalpha()]
    scripts = [SCRIPTS.get(name, name) for name in names]
    return max(sorted(set(scripts)), key=scripts.count, default="")
