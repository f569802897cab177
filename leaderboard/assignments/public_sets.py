"""Sketches of public data sets (integrity.py says how they are made). Generated; do not edit."""

from __future__ import annotations

import base64
from collections.abc import Mapping


def _read(text: str) -> tuple[int, ...]:
    raw = base64.b85decode(text)
    return tuple(int.from_bytes(raw[at : at + 8], "big") for at in range(0, len(raw), 8))


PUBLIC_SETS: Mapping[str, tuple[int, ...]] = {
    "Fashion-MNIST (test part)": _read(
        "00rOSy+(PW00=dUW?Az101{|HTo}hV02E<6K1Q2U02sg|Z#5!202$|9nRx=t03t(MwxAl~04a(Y@f?)104g|FXdu"
        "1{05bL50DTCh06u4tsG)b;08a3sO(rSy09qFNk9IsY09ub>!Q@BC0CmWWr*|^;0CyDzx6o2m0D78r@oBX;0Di_C*"
        "W2<V0D~7op|iCa0G8j<t-"
        "qv60GDQS996=E0GJBrkAvy<0GR1K#oc1E0GTj7Lays|0HK9VI&uX(0HWmuql6BA0I84B#?X)A0IRqSkU{Ji0I>rJ"
        "^!Y520L5kJOYTc60M7qYK|-se0MFTIl#tmG0Nld)5<9-"
        "k0OFtJa&?nw0OIJlkgEn|0Owg~Bk;6`0PA>uWZFhd0PDhG!T5XX0PU1(grZ%I0P;GCEmO8R0Rs)D47F>t0R-"
        "mz&#ZZ|0SmUHZg5*)0TPtx8?-"
        "CP0U0eMK(YXG0VHHzYvH8U0V}u>Pf4Eb0W^fbIW?jD0XX*By8flN0Yqc1u+ytG0Z7TDze9&;0ZWkrbmL690Zh*vX"
        "pB}60Zz_5U&U090dA9d&AO6r0dPTjLL8*;0da6VpQEF(0dlWV0_Eyh0dp!bY#3mD0eH;`DnkV10eYdT{;VMC0ef5"
        "(4%g4Y0gp8N)m^s70g<$wWzsnU0iuz~6v~F~0jRXhFb-"
        "{r0jyH(=nvWL0kdZsyOviV0l$YYbGQ=40l}Y$wv(YN0mc|P?w?oH0n4_O;qqyS0nh20WUA}~0p>x?!S80}0qd%z5"
        "y8~T0r$#00vj`l0r>CtoN_KD0sug=56+I(0s)!>E0l6s0teh+4ZYq10t>~(HiMk)0vjb3M*__i0v)-"
        "ejvfmT0wM+gQk#+10x)=p7h3N80x`{_o{9vV0yM25pm@fm0yM&p6}N<p0yR*|L}EH50y)7SvG|4J0z9=a8pp440!"
        "r|(Y@k%d0!vJnu`hPf0$31pUo;-"
        "W0%itOa?W7!0&CH{zvrU!0&bjxMP=q`0&$6cvXKrR0&)n_76g5k0(*QO#lUUN0)5pT6A2gs0)S~+dt^~-0-"
        "64GV0Pdg0-yXMF2l020<5-"
        "8PqW500<Vo?d(J?}0<a$3C?Fxy0=<|iSi1wQ0>OoG^Vjz`0>Q)}w={E{0?GUmznKT30@CPeZdKrn0@KX!9O*y`0^"
        "1y^Ot|vb0^Ui1=Oxer0^|grl55CJ0_3GHP<VL}0_{8kw#CiH0`4gGSDp@I0|If;4pP3W0}d!g8)2HR0}$ONn8$t)"
        "0~bAvSn~bG0~sr}$aB_010WEHV1?!Z10=O{gVqv}11F7>P!=eL11NNp6>Xoy"
    ),
    "Fashion-MNIST (training part)": _read(
        "006aYr*2m>00Ho@G^`4{00h?vj@LSq00mHslu{bw00_;JvSHd>01Hd9I)3rc01Q2!f*RDw01cQ9KMu`;01!1r2Uq"
        "d>01<hs5YJ$$01>&6)?UL@01@4kyeE^X01~?r-"
        "s9o|02DCgLIG2z02S+D=@>j|02d6^EaAW}02vD%MtzOW02%u$X(C8B02)jh^lNp802_|~S6AKS036Zv(Q-"
        "JA03J_c-FS-"
        "t03VY8??2vu03Yvn&_Yx>03ma>P|r1;03siQwo7vj03#I~_?LiR03<{Bf{0~N03~dOL9Ib`048t%KwH3j04Bqvj5"
        "u8j04Co*s3)VJ04dkdtPJ~C04mMtlvRU704??6k7zoE04_w93tvSQ053Gw+xryy05IYfqA;nD05OsxvS;sJ05xx<"
        "I!>1Z05%D~YMUwm05*ucBNps}05<mAnQ}mo05|H@+^KEo06o+L78bCM06uw7J)+~d06(R@jesg~06`I;0{7??070"
        "qd;l>v|0732v_^D;@07ADJyUW<e07hh$Afpvs07+$;kEY@507>6#W}j=Q081^8IRo^E088`ar0~d808Z6}Bp_C+0"
        "8yM1g9cSr08+Xl7K5i$08>IPHRE}^092fuUUCG<094d8v64+N09A)#mszcO09Mw`<M6V^09S5JvGJ8b09rqD2wZ_"
        ")09v?Snw$OH09za1=v2&J09=YjbxTpR0A2_H`c>b%0A3qA_T(AX0A7hn3lf|=0AbXOV5pVe0Ai2CeR=su0A=4x`r"
        "`&q0A=>zEvJzn0A@<-"
        "CKHJw0A}xL4GV*y0BK>U5lVTV0BQ5tO=23l0BThL_C(u?0Bt=+iJ0j<0B){+wXVdS0B*e;Nr55U0C2~w7{Pn{0CT"
        "On{2{YY0CZf$MFnp50C%*CLWJ(20DI{HUkN6=0Db(V#Uw2T0Dn;N&098S0Dq#0DWD+W0Drw_XkU=c0Dy83VldD`0"
        "D&h*w<~_f0D@;G2$Plq0D^HQ7UiIY0D};FrG+#X0E3<A*IH?j0E9_;buBSC0EP8A0N~@h0ERMTs~7<X0ER>~ZjtV"
        "c0EZl1CL~7p0El8@6-"
        "!810Em%SwIkl{0F5p%?WBE!0FMPUSL|>30FT1Y%2N~r0Fe5Z(p~}60FzR`+c}eo0F#B{dKIYV0F#&>CyJk00F(IM"
        "DjK<v0G0v0o<4810GAy>o7J;p0GA{t30df<0GY#PChCti0Glo%=UpnX0G;Ni#>tBb0G_Iw5Ge@O0HA40n}EMs0HC"
        "_zpohrR0HECdp_YzF0HPWwUH#k<0HV1Pc+%2t0HXAMl7v%h0Hi88l7G~C"
    ),
    "the digits of scikit-learn": _read(
        "00CG#fj3j>00E|hMV$|r02pc`&nfCf0AKVkUbcvw0L!b#)h{2N0MA+4HbT>20M_eIkZ_rm0ObAQ$zbn~0Q0ZR>-"
        "<)o0fBb@--"
        "kBY0iu7t;ny2(0kEP|c1XmT0s7Fp^gE`r0sxiFVS6rj0#c)A88VD&0&e{L$4+o^0;ou7VKQ$!0<T6%XnDRR10%6k"
        "ol8o917qC^w~2bs1C<?XXV>#{1Pv?IqT;-71R#faUW7l*1Ttz9DAR&61Vcl;@}x4e1Y2O7Aoqr(1Z`G$-"
        "CSUK1d?U~UO*G31l_j3@oD~q1oIZMzHydO1#zd(bbkV51(Zc`QU~nO1<)PfQp%Nr1>^eEw2WHW1{ISJ`n2Ux1{**"
        "OjM+j21|2Z9;rdi%1}*gHDoXvT1~z914iMw%21v0H@mIHu26{@U7wKt52BfltML4r&2DN1fB>LvF2Hg-"
        "K13o^r2IG7hxv~Jk2Kmi{B$!iS2PY$)4ecw)2QU@G!Rq232WJa>6(5}w2X_QL3$5Xw2e~|PYIkTG2j@!9Ore1p2k"
        "(&jO~a=>2lrtQ&ws>f2mL#c=^^wc2o{!OPC?uh2r_zxmoh&12v*?^Z0eQ*2w5b&w<>Ye2_M-in`%|s2`m8oa8>uV"
        "2~ViyXN}<J2~!(R<H79F32D-fpw_tU39hAgJkl-"
        "E3Bt!!)!hJC3F(hO27QEC3L{dz;Dqe{3Qgtaj4?Jp3WTOhj#cH&3d0x?$AZ&v3i>jo<OSRL3l8rR%8l_z3xNjlba"
        "@tg3$5jY-"
        "?!O?3@?lFG5N3Z3^w84N45Wz3{lSZR?@%s43Ue;Y7eUu43jg@a0ae84CXEf@ej~94G#mXYj^(I4LrDg$0#!74MWL"
        "Xr+jMi4QmixZN>-|4UBs-2yKy`4n(F%weBEN4p2PN$3Pf44sA`Ar(4q_4t2X<&w*eI4w+fuOk#I%4zs-djgci}4$"
        "jF!sYT@v4&z{}V6~P&4;>~3ymj%h4?Uo$u&+VH4_SF#>O6i+4{}svOfs%J4|6qLCi=iZ4|)x-?{fgx51Ldc_z<-"
        "E52hP(VyQeZ55t11e@~yO5B&SRwfL;!5MZm3s55BV5Nc3*UjpP25P7`Orts1@5RJx~W5-"
        "Lr5WJB0AAd&P5YXV2fuHe05f2XAMbU@$5jrVn(3fpf5k9;)4kRB`5m%Uen1VAI5vpqfgw*t45x_STkaghz5y60FF"
        "lUF95ztR0B%+!r5)S0PsC1`t5)s7+bF~I&5--"
        "<X%6~%q5;gm+DA|o<5=4qbo;Tb+5=JUW^TFds5}YBq)Fco~6D*gLifz}!6Es@#3jqrH6PGRF*js(h"
    ),
}
