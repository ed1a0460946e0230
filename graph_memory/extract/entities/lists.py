"""The words that rule-based extraction knows: kin, first names and their short forms, places, tools, occupations. Data only.

Small on purpose: a name that is not listed is still found by how it is written and by what is said of it.
"""

from __future__ import annotations

from collections.abc import Mapping


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


def _phrases(text: str) -> frozenset[str]:
    return frozenset(" ".join(phrase.split()) for phrase in text.split(","))


PARTNERS = words("wife husband spouse partner girlfriend boyfriend fiancé fiancée fiance fiancee")
ONE_OF_A_KIND = PARTNERS | words("mother father mum mom dad boss manager supervisor")
"""Relations of which a person has one at a time: a new one takes the old one's place."""

KIN = ONE_OF_A_KIND | words(
    "sister brother son daughter child kid aunt uncle cousin niece nephew grandmother grandfather grandma grandpa friend"
    " colleague coworker neighbour neighbor roommate flatmate housemate teacher mentor dog cat pet landlord landlady"
)
PETS = words("dog cat pet")

FIRST_NAMES = words("""
ada adam adrian agnes ahmed alan albert alberto alex alexander alexandra alfred ali alice alicia alina amanda amelia
amir amy ana andrea andreas andrew andy angela anita ann anna anne anthony antonio arthur barbara beatrice ben
benjamin bernard beth bill bob boris brian bruno carl carla carlos carmen carol caroline catherine charles charlie
charlotte chloe chris christian christina christopher claire clara claudia colin craig cynthia dan daniel daniela dave
david deborah denise dennis diana diego dominic donald dora dorothy ed eddie edith edward elena eli elias elisa
elizabeth ella ellen elsa emil emily emma eric erik erika ernest esther eugene eva evan eve fatima felix fernando
fiona florence frances francis frank fred frederick gabriel gareth gary george gerald gina giovanni gloria grace
graham greg gregory gustav hanna hannah hans harold harry hassan heather hector heidi helen helena henry hugo ian
ibrahim ida igor ines ingrid irene iris isaac isabel ivan jack jacob jake james jamie jan jane janet jason javier jean
jeff jennifer jenny jeremy jerry jessica jim jo joan joanna joe joel johan johann john johnny jon jonathan jorge jose
joseph josh joshua juan judith judy julia julian julie karen karin karl kate katherine kathy keith kelly ken kenneth
kevin khalid kim kurt lara larry laura lauren lea leah lena leo leon leonard lily linda lisa liz lucas lucia lucy luis
luka luke maggie marc marco margaret maria marie marina mario mark marta martha martin mary matt matthew maya megan
melanie mia michael michelle miguel mike mila miriam mohamed mohammed molly monica nadia nancy naomi natalie nathan
neil nick nicholas nicole nina noah nora oleg oliver olivia omar oscar pablo pamela pat patricia patrick paul paula
pedro peggy peter phil philip pierre priya rachel rafael ralph raj rebecca richard rick rita rob robert roberta robin
roger roland ron ronald rosa rose ruth ryan sally sam samantha samuel sandra sara sarah scott sean sebastian sergei
shirley simon sofia sonia sophia sophie stefan stella stephen steve steven stuart sue susan sven tanya ted teresa theo
theresa thomas tim timothy tina tobias tom tommy tony ursula valentina vera veronica victor victoria vincent viktor
vivian walter wendy wilhelm will william xavier yasmin yuki yusuf zara zoe
""")

_SHORT_FORMS = """
mel:melanie,melissa nate:nathan gabe:gabriel val:valerie,valentina cathy:catherine steph:stephanie becky:rebecca nat:natalie
abby:abigail andy:andrew tony:anthony alex:alexander,alexandra bea:beatrice ben:benjamin beth:elizabeth bill:william
billy:william bob:robert bobby:robert rob:robert robbie:robert charlie:charles chuck:charles
chris:christopher,christina,christine dan:daniel danny:daniel dave:david deb:deborah dick:richard rick:richard
rich:richard don:donald ed:edward eddie:edward fred:frederick greg:gregory jack:john jake:jacob jeff:jeffrey
jen:jennifer jenny:jennifer jerry:gerald jim:james jimmy:james joe:joseph josh:joshua kate:katherine kathy:katherine
katie:katherine ken:kenneth larry:lawrence liz:elizabeth maggie:margaret meg:margaret peggy:margaret matt:matthew
mike:michael mick:michael nick:nicholas pat:patricia,patrick pete:peter phil:philip ron:ronald sam:samuel,samantha
sandy:sandra steve:stephen,steven sue:susan ted:edward theo:theodore tim:timothy tom:thomas tommy:thomas
vicky:victoria will:william zach:zachary
"""
NICKNAMES: Mapping[str, frozenset[str]] = {
    short: frozenset(forms.split(",")) for short, _, forms in (entry.partition(":") for entry in words(_SHORT_FORMS))
}
"""A short form to the names that it is short for."""

PLACES = _phrases("""
afghanistan, albania, algeria, argentina, armenia, australia, austria, bangladesh, belarus, belgium, bolivia, bosnia,
brazil, bulgaria, cambodia, cameroon, canada, chile, china, colombia, costa rica, croatia, cuba, cyprus, czech
republic, denmark, ecuador, egypt, england, estonia, ethiopia, europe, finland, france, georgia, germany, ghana, great
britain, greece, greenland, guatemala, hungary, iceland, india, indonesia, iran, iraq, ireland, israel, italy,
jamaica, japan, jordan, kazakhstan, kenya, korea, kuwait, latvia, lebanon, lithuania, luxembourg, malaysia, malta,
mexico, moldova, mongolia, montenegro, morocco, nepal, netherlands, new zealand, nigeria, norway, pakistan, panama,
paraguay, peru, philippines, poland, portugal, qatar, romania, russia, rwanda, saudi arabia, scotland, senegal,
serbia, singapore, slovakia, slovenia, south africa, south korea, spain, sri lanka, sweden, switzerland, syria,
taiwan, tanzania, thailand, tunisia, turkey, uganda, ukraine, united kingdom, united states, uruguay, uzbekistan,
venezuela, vietnam, wales, uk, usa, africa, asia, amsterdam, antwerp, athens, atlanta, auckland, baltimore, bangalore,
bangkok, barcelona, basel, beijing, belfast, belgrade, berlin, bern, birmingham, bogota, bologna, bonn, bordeaux,
boston, bratislava, brisbane, bristol, bruges, brussels, bucharest, budapest, buenos aires, cairo, california,
cambridge, cape town, cardiff, chennai, chicago, cologne, copenhagen, dallas, damascus, delhi, denver, detroit,
dortmund, dresden, dubai, dublin, durham, edinburgh, eindhoven, florence, florida, frankfurt, gdansk, geneva, genoa,
ghent, glasgow, gothenburg, graz, hamburg, hanoi, havana, helsinki, hong kong, honolulu, houston, istanbul, jakarta,
jerusalem, johannesburg, kiev, krakow, kyiv, kyoto, lagos, las vegas, lausanne, leeds, leipzig, lille, lima, lisbon,
liverpool, ljubljana, london, los angeles, lyon, madrid, malaga, manchester, manila, marseille, melbourne, mexico
city, miami, milan, minneapolis, minsk, montreal, moscow, mumbai, munich, nairobi, naples, nashville, new york, new
york city, newcastle, nice, nuremberg, oslo, osaka, ottawa, oxford, palermo, paris, perth, philadelphia, phoenix,
pittsburgh, portland, porto, prague, quebec, riga, rio de janeiro, rome, rotterdam, salzburg, san diego, san
francisco, santiago, sao paulo, sarajevo, seattle, seoul, seville, shanghai, sheffield, sofia, stockholm, stuttgart,
sydney, taipei, tallinn, tampa, tehran, tel aviv, texas, the hague, tokyo, toronto, turin, utrecht, valencia,
vancouver, venice, vienna, vilnius, warsaw, washington, wellington, zagreb, zurich
""")

ORGANISATION_WORDS = words(
    "ltd limited inc incorporated corp corporation gmbh ag plc llc llp sa co company group holdings bank university college"
    " school institute academy hospital clinic foundation association society ministry museum labs laboratory laboratories"
    " studios partners ventures airlines church council agency committee department"
)
SCHOOL_WORDS = words("university college school institute academy polytechnic eth mit")

DEPARTMENTS = words(
    "sales marketing engineering support hr finance legal operations it product design research management"
)
"""Where people move to without moving house."""

TOOLS: Mapping[str, str] = {
    tool.strip(): kind
    for kind, tools in {
        "editor": "vim,neovim,emacs,vs code,vscode,visual studio,sublime,sublime text,pycharm,intellij,nano,notepad,zed,helix",
        "browser": "firefox,chrome,safari,edge,opera,brave,vivaldi,chromium",
        "system": "windows,linux,macos,mac os,ubuntu,fedora,debian,arch,arch linux,mac,chromeos",
        "phone": "iphone,android,pixel,samsung,galaxy",
        "language": "python,java,rust,go,golang,kotlin,typescript,javascript,ruby,php,scala,haskell,swift",
        "database": "postgres,postgresql,mysql,sqlite,mongodb,oracle,mariadb,redis",
        "cloud": "aws,azure,gcp,google cloud,heroku,hetzner",
    }.items()
    for tool in tools.split(",")
}
"""Tools of which a person mostly uses one of a kind."""

OCCUPATIONS = words("""
accountant actor actress analyst architect artist assistant astronaut athlete attorney author baker banker barber
barista bartender biologist bookkeeper builder bus butcher captain carpenter cashier chef chemist cleaner clerk coach
composer consultant cook coordinator dancer dentist designer developer director doctor driver economist editor
electrician engineer farmer firefighter fisherman florist freelancer gardener geologist guard hairdresser historian
intern inspector journalist judge lawyer lecturer lead librarian locksmith machinist manager marketer mathematician
mechanic midwife minister model musician nurse officer optician painter paramedic pharmacist philosopher photographer
physician physicist physiotherapist pilot plumber poet politician postdoc president priest producer professor
programmer psychologist recruiter reporter researcher sailor salesman scientist sculptor secretary singer soldier
solicitor specialist statistician student surgeon surveyor tailor teacher technician therapist trainer translator
tutor vet veterinarian waiter waitress welder writer ceo cto cfo coo founder principal
""")
DIETS = "vegetarian|vegan|pescatarian|flexitarian|gluten-free|carnivore|keto"

HONORIFICS = "Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Sir|Dame|Lord|Lady|Herr|Frau|Señor|Señora|Monsieur|Madame"

NOT_NAMES = words("""
yeah yep yup nope woohoo congrats congratulations bye goodbye absolutely definitely totally exactly sounds looks remember keep
aww haha cool awesome amazing agreed agree true right glad stay whoa yay gotcha cheers welcome enjoy imagine look sound love
your those these events thankfully seriously obviously clearly certainly surely especially speaking talking having being
monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september
october november december mon tue wed thu fri sat sun jan feb mar apr jun jul aug sep sept oct nov dec today tomorrow
yesterday christmas easter i hi hello hey dear thanks thank please yes no ok okay sorry sure well oh ah wow btw fyi
lol also actually maybe perhaps sometimes anyway however recently finally currently lately eventually suddenly
honestly basically apparently unfortunately luckily hopefully meanwhile later soon next last first second third
another everyone everybody someone somebody nobody anyone nothing something everything mr mrs ms dr english spanish
french german italian portuguese dutch chinese japanese russian arabic american british european let lets user
assistant news big good great nice got just since still today's ever never always often not does did has have had been
being will would here can could should shall may might must go going gone come came get make made take took see saw say
said tell told think thought know knew want wanted need needed
""")
"""Words that are written with a capital, or begin sentences, without being anybody's name."""
